from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime.remote.proto_messages import message_class
from upconv.service.errors import TensorError, UnsupportedError
from upconv.service.grpc_protocol.infer_messages import to_request


def message(datatype: str = "FP32", shape: Any = (2,), **contents: Any) -> Any:
    request = message_class("ModelInferRequest")(model_name="m")
    request.inputs.add(name="x", datatype=datatype, shape=shape, contents=contents or None)
    return request


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [-128, 127]),
        ("INT16", "int_contents", [-(2**15), 2**15 - 1]),
        ("INT32", "int_contents", [-(2**31), 2**31 - 1]),
        ("INT64", "int64_contents", [-(2**63), 2**63 - 1]),
        ("UINT8", "uint_contents", [0, 255]),
        ("UINT16", "uint_contents", [0, 2**16 - 1]),
        ("UINT32", "uint_contents", [0, 2**32 - 1]),
        ("UINT64", "uint64_contents", [0, 2**64 - 1]),
        ("FP32", "fp32_contents", [0.5, -2.0]),
        ("FP64", "fp64_contents", [1e300, 0.1]),
    ],
)
def test_contents(datatype: str, field: str, values: list[Any]) -> None:
    given = to_request(message(datatype, **{field: values})).inputs["x"]
    assert given.datatype == datatype
    assert isinstance(given.values, np.ndarray)
    assert given.values.tolist() == values


def test_raw_contents_and_bytes() -> None:
    request = message()
    request.inputs.add(name="y", datatype="BYTES", shape=[2])
    request.raw_input_contents.append(np.array([1, 2], "<f4").tobytes())
    request.raw_input_contents.append(b"\x01\x00\x00\x00a\x00\x00\x00\x00")
    inputs = to_request(request).inputs
    assert inputs["x"].values.tolist() == [1, 2]  # type: ignore[union-attr]
    assert inputs["y"].values == [b"a", b""]
    assert to_request(message("BYTES", bytes_contents=[b"a", b""])).inputs["x"].values == [b"a", b""]


def test_parameters_and_outputs() -> None:
    request = message(fp32_contents=[1, 2])
    request.id = "my-id"
    request.parameters["scale"].double_param = 2.5
    request.parameters["format"].string_param = "webp"
    _ = request.parameters["empty"]
    request.outputs.add(name="out")
    converted = to_request(request)
    assert (converted.id, converted.parameters) == ("my-id", {"scale": 2.5, "format": "webp"})
    assert [output.name for output in converted.outputs] == ["out"]


def test_refused() -> None:
    both = message(fp32_contents=[1, 2])
    both.raw_input_contents.append(b"12345678")
    too_many = message()
    too_many.raw_input_contents.extend([b"12345678"] * 2)
    shared = message(fp32_contents=[1, 2])
    shared.inputs[0].parameters["shared_memory_region"].string_param = "r"
    table: list[tuple[Any, type[Exception], str]] = [
        (message("INT8", int_contents=[128, 0]), TensorError, "beyond the range of INT8"),
        (message("UINT8", uint_contents=[256, 0]), TensorError, "beyond the range of UINT8"),
        (message("FP32", fp64_contents=[1, 2]), TensorError, "values belong in fp32_contents"),
        (message("FP16", fp32_contents=[1, 2]), TensorError, "values belong in raw_input_contents"),
        (message("FP32", fp32_contents=[1]), TensorError, "needs 2 elements; it has 1"),
        (message("FP32", (-1,), fp32_contents=[1]), TensorError, "violates the protocol"),
        (message("FP32", fp32_contents=[1, float("nan")]), TensorError, "not finite"),
        (message_class("ModelInferRequest")(), TensorError, "violates the protocol"),
        (both, TensorError, "contents besides raw_input_contents"),
        (too_many, TensorError, "2 raw_input_contents for 1 inputs"),
        (shared, UnsupportedError, "shared_memory_region is not supported"),
    ]
    for request, error, words in table:
        with pytest.raises(error, match=words):
            to_request(request)
