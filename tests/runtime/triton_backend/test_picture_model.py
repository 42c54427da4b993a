from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler, codecs, process
from upconv.runtime.contract import NoHalo, Statistic
from upconv.runtime.picture import Picture
from upconv.runtime.session import Model
from upconv.runtime.triton_backend import TritonPythonModel
from upconv.runtime.triton_backend.picture_model import whole_if_needed

Request = Callable[..., Any]


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "contract.json").write_text(model.contract.to_json())
    return tmp_path


@pytest.fixture
def served(backend: Any, folder: Path) -> Iterator[TritonPythonModel]:
    stated = {
        "tensor_model": "nearest",
        "tensor_input": "image",
        "tensor_output": "output",
        "sha256": "0" * 64,
        "tile_px": "16",
        "tiles_at_once": "3",
        "max_pixels": "6000",
        "max_output_pixels": "20000",
    }
    config = json.dumps({"parameters": {name: {"string_value": value} for name, value in stated.items()}})
    made = TritonPythonModel(backend)
    made.initialize({"model_config": config, "model_repository": str(folder), "model_version": "7"})
    yield made
    made.finalize()


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    return codecs.encode(Picture(pixels), "png")[0]


def test_a_picture_is_enlarged_as_upscaler_does(
    served: TritonPythonModel, backend: Any, model: Model, picture_request: Request, photograph: Request
) -> None:
    picture = png(photograph(40, 60))
    (response,) = served.execute([picture_request(picture)])
    assert response.error_ is None
    result, report = (tensor.values for tensor in response.output_tensors)
    with Upscaler(model) as upscaler:
        assert result.item() == process(picture, upscaler).data
    assert result.shape == report.shape == (1, 1)
    assert json.loads(report.item())["output_size"] == [120, 80]
    assert {request.inputs[0].values.shape for request in backend.asked} == {(1, 3, 16, 16)}
    assert {(request.model_name, request.model_version) for request in backend.asked} == {("nearest", 7)}


def test_pictures_of_other_sizes_send_tiles_of_the_same_shape(
    served: TritonPythonModel, backend: Any, picture_request: Request, photograph: Request
) -> None:
    served.execute([picture_request(png(photograph(height, width))) for height, width in ((16, 17), (50, 33), (71, 16))])
    assert {request.inputs[0].values.shape for request in backend.asked} == {(1, 3, 16, 16)}


def test_parameters_are_options(served: TritonPythonModel, picture_request: Request, photograph: Request) -> None:
    (response,) = served.execute([picture_request(png(photograph(9, 9)), scale="1.5", format="jpeg")])
    assert codecs.sniff(response.output_tensors[0].values.item()) == "jpeg"
    assert codecs.read_size(response.output_tensors[0].values.item(), 10**6) == (14, 14)


@pytest.mark.parametrize(
    ("picture", "parameters", "code", "said"),
    [
        (b"no picture", {}, "INVALID_ARG", "not an image"),
        (b"", {}, "INVALID_ARG", ""),
        ([b"two", b"files"], {}, "INVALID_ARG", "image must hold the bytes of one file; it has 2 elements"),
        ((76, 80), {}, "INVALID_ARG", "6000"),
        ((60, 60), {"scale": 16}, "INVALID_ARG", "20000"),
        ((5, 5), {"scale": 99}, "INVALID_ARG", "scale must be a number from 1 to 16"),
        ((5, 5), {"timeout_us": 1}, "UNAVAILABLE", "deadline"),
    ],
)
def test_bad_input_is_a_sentence_and_the_next_request_is_answered(
    served: TritonPythonModel,
    backend: Any,
    picture_request: Request,
    photograph: Request,
    picture: Any,
    parameters: dict[str, Any],
    code: str,
    said: str,
) -> None:
    data = png(photograph(*picture)) if isinstance(picture, tuple) else picture
    bad, good = served.execute([picture_request(data, **parameters), picture_request(png(photograph(75, 80)[:5, :5]))])
    assert bad.error_.code() == getattr(backend.TritonError, code)
    assert said in bad.error_.message()
    assert good.error_ is None


@pytest.mark.parametrize(("height", "admitted"), [(75, True), (76, False)])
def test_the_largest_picture(
    served: TritonPythonModel, picture_request: Request, photograph: Request, height: int, admitted: bool
) -> None:
    (response,) = served.execute([picture_request(png(photograph(height, 80)), width=80, height=height)])
    assert (response.error_ is None) == admitted


def test_an_error_of_the_tensor_model_fails_the_picture(
    served: TritonPythonModel, backend: Any, backend_error: Any, picture_request: Request, photograph: Request
) -> None:
    backend.answer = lambda _: backend_error("no such model", backend_error.NOT_FOUND)
    (response,) = served.execute([picture_request(png(photograph(40, 40)))])
    assert response.error_.code() == backend_error.INTERNAL
    assert response.error_.message() == "nearest does not compute a tile: no such model"


def test_a_cancelled_picture_stops_at_the_next_tile(
    served: TritonPythonModel, backend: Any, picture_request: Request, photograph: Request
) -> None:
    request, answer = picture_request(png(photograph(70, 70))), backend.answer
    returned = threading.Event()

    def slow(tile: Any) -> Any:
        request.cancelled.set()
        returned.wait(30)
        return answer(tile)

    backend.answer = slow
    (response,) = served.execute([request])
    returned.set()
    assert response.error_.code() == backend.TritonError.CANCELLED
    assert len(backend.asked) <= 3, "one tile per thread"


def test_a_model_with_means_over_the_picture_gets_it_whole(model: Model) -> None:
    statistic = Statistic(features="f", mean="m", channels=8, level=0)
    contract = whole_if_needed(model.contract.model_copy(update={"statistics": (statistic,)}))
    assert contract.statistics == ()
    assert isinstance(contract.halo, NoHalo)
    assert whole_if_needed(model.contract) is model.contract
