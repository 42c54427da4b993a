from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from upconv.service.inference_protocol.messages import InferRequest

INPUT = {"name": "x", "shape": [1], "datatype": "FP32"}


def inputs(count: int = 1, **changes: Any) -> dict[str, Any]:
    return {"inputs": [INPUT | changes] * count}


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (inputs(1), inputs(0)),
        (inputs(64), inputs(65)),
        (inputs(shape=[1] * 16), inputs(shape=[1] * 17)),
        (inputs(shape=[0, 2**40]), inputs(shape=[2**40 + 1])),
        (inputs(shape=[0]), inputs(shape=[-1])),
        (inputs(name="x" * 200), inputs(name="x" * 201)),
        (inputs(name="x"), inputs(name="")),
        (inputs(datatype="D" * 20), inputs(datatype="D" * 21)),
        (inputs() | {"id": "i" * 200}, inputs() | {"id": "i" * 201}),
        (inputs() | {"outputs": [{"name": "y"}] * 64}, inputs() | {"outputs": [{"name": "y"}] * 65}),
    ],
)
def test_a_request_is_taken_up_to_its_bounds(allowed: dict[str, Any], refused: dict[str, Any]) -> None:
    InferRequest.model_validate(allowed)
    with pytest.raises(ValidationError):
        InferRequest.model_validate(refused)
