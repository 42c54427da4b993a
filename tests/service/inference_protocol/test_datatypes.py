from __future__ import annotations

import numpy as np
import pytest

from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes


@pytest.mark.parametrize(
    ("onnx", "protocol"),
    [("tensor(float)", "FP32"), ("tensor(uint8)", "UINT8"), ("tensor(int64)", "INT64"), ("tensor(string)", "tensor(string)")],
)
def test_names_of_onnxruntime_types(onnx: str, protocol: str) -> None:
    assert datatypes.of_onnx(onnx) == protocol


def test_free_axes_are_minus_one() -> None:
    assert datatypes.shape_of(["batch", 3, None, 64]) == [-1, 3, -1, 64]


@pytest.mark.parametrize(("length", "accepted"), [(8, True), (7, False), (9, False), (0, True)])
def test_binary_data_is_a_whole_number_of_elements(length: int, accepted: bool) -> None:
    data = memoryview(bytes(length))
    if accepted:
        assert len(datatypes.from_binary("x", "FP32", data)) == length // 4
    else:
        with pytest.raises(TensorError, match=f"{length} bytes"):
            datatypes.from_binary("x", "FP32", data)


@pytest.mark.parametrize("datatype", datatypes.NUMPY)
def test_values_survive_both_forms(datatype: str) -> None:
    kind = datatypes.NUMPY[datatype]
    values = [False, True] if kind.kind == "b" else [0, 1]
    binary = datatypes.from_binary("x", datatype, memoryview(np.array(values, kind).tobytes()))
    assert binary.tolist() == datatypes.from_json("x", datatype, [[value] for value in values]).tolist() == values


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("UINT8", [256]),
        ("UINT8", [-1]),
        ("INT8", [128]),
        ("UINT8", [1.0]),
        ("BOOL", [1]),
        ("FP32", ["1"]),
        ("FP32", [None]),
        ("FP32", [True]),
        ("FP32", [[1, 2], [3]]),
        ("FP32", [[1], 2]),
    ],
)
def test_json_that_is_not_such_an_array_is_refused(datatype: str, data: list[object]) -> None:
    with pytest.raises(TensorError):
        datatypes.from_json("x", datatype, data)


@pytest.mark.parametrize(("datatype", "value"), [("UINT8", 255), ("INT8", -128), ("UINT64", 2**64 - 1), ("FP16", 65504.0)])
def test_the_ends_of_ranges_are_accepted(datatype: str, value: float) -> None:
    assert datatypes.from_json("x", datatype, [value]).tolist() == [value]


def test_elements_of_bytes_are_separated_by_their_lengths() -> None:
    parts = [b"", b"a", bytes(300)]
    assert datatypes.elements("x", memoryview(datatypes.join(parts))) == parts


@pytest.mark.parametrize("data", [b"\1\0\0", b"\2\0\0\0a", b"\xff\xff\xff\xff"])
def test_truncated_elements_are_refused(data: bytes) -> None:
    with pytest.raises(TensorError):
        datatypes.elements("x", memoryview(data))
