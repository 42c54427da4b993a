from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler
from upconv.service.errors import TensorError
from upconv.service.inference_protocol import tiles

LENGTH = "Inference-Header-Content-Length"
DTYPES = {"FP32": "<f4", "FP16": "<f2", "UINT8": "u1"}


@pytest.fixture
def upscaler(nearest_x2: Path) -> Iterator[Upscaler]:
    with Upscaler(nearest_x2, workers=1, tile_px=16) as upscaler:
        yield upscaler


def infer(client: Any, tensor: np.ndarray, datatype: str, parameters: dict[str, Any]) -> Any:
    data = tensor.astype(DTYPES[datatype]).tobytes()
    given = {"name": "image", "shape": list(tensor.shape), "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    message = {"parameters": {"binary_data_output": True, **parameters}, "inputs": [given]}
    head = json.dumps(message).encode()
    return client.post("/v2/models/nearest-x2-test/infer", content=head + data, headers={LENGTH: str(len(head))})


@pytest.mark.parametrize("given", DTYPES)
@pytest.mark.parametrize("wanted", DTYPES)
def test_number_formats(client: Any, given: str, wanted: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5))
    tensor = levels if given == "UINT8" else levels / 255
    answer = infer(client, tensor, given, {"datatype": wanted})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers[LENGTH])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert (output["datatype"], output["shape"]) == (wanted, [2, 3, 8, 10])
    values = np.frombuffer(answer.content[length:], DTYPES[wanted]).reshape(output["shape"])
    expected = levels.repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(values if wanted == "UINT8" else values * 255.0, expected, atol=0.2 if wanted == "FP16" else 0.1)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"datatype": "INT8"}, "must be one of FP32, FP16, UINT8"),
        ({"datatype": 5}, "not '5'"),
        ({"one_piece": "yes"}, "true or false"),
    ],
)
def test_bad_parameters(client: Any, parameters: dict[str, Any], why: str) -> None:
    answer = infer(client, np.zeros((1, 3, 2, 2)), "FP32", parameters)
    assert answer.status_code == 400
    assert why in answer.json()["error"]


def test_a_tensor_in_one_piece(upscaler: Upscaler) -> None:
    assert len(tiles.plan(upscaler, {}, 40, 50).tiles) > 1
    for _ in range(2):
        assert len(tiles.plan(upscaler, {"one_piece": True}, 40, 50).tiles) == 1
    with pytest.raises(TensorError, match="must be true or false"):
        tiles.plan(upscaler, {"one_piece": 1}, 40, 50)


def test_a_tensor_beyond_the_memory_is_not_computed_in_one_piece(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    from upconv.runtime import planner

    monkeypatch.setattr(planner, "available_bytes", lambda: 1e6)
    assert len(tiles.plan(upscaler, {"one_piece": True}, 4000, 5000).tiles) > 1


def test_what_the_metadata_state(client: Any, adder: Path, running: Callable[..., Any]) -> None:
    stated = client.get("/v2/models/nearest-x2-test").json()["parameters"]
    assert (stated["datatypes"], stated["in_flight"], "one_piece" in stated) == ("FP32 FP16 UINT8", "4", True)
    with running(models=(adder,), max_in_work=7) as service:
        assert set(service.get("/v2/models/adder").json()["parameters"]) == {"sha256"}
