from __future__ import annotations

import numpy as np
import pytest

from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes


def test_onnxruntime_types_have_names_of_the_protocol() -> None:
    assert [datatypes.of_onnx(type) for type in ("tensor(float)", "tensor(uint8)", "tensor(string)")] == [
        "FP32",
        "UINT8",
        "tensor(string)",
    ]
    assert datatypes.shape_of(["n", 3, None]) == [-1, 3, -1]


@pytest.mark.parametrize("datatype", sorted(datatypes.NUMPY))
def test_binary_data_become_little_endian_arrays(datatype: str) -> None:
    values = np.array([0, 1, 1], datatypes.NUMPY[datatype])
    assert np.array_equal(datatypes.from_binary("x", datatype, memoryview(values.tobytes())), values)


@pytest.mark.parametrize("data", [[1, [2]], [[1], [2, 3]], [["a"]], [None], [True]])
def test_json_that_is_not_an_array_of_numbers_is_refused(data: list[object]) -> None:
    with pytest.raises(TensorError):
        datatypes.from_json("x", "FP32", data)


def test_json_beyond_the_range_is_refused() -> None:
    with pytest.raises(TensorError, match="beyond the range"):
        datatypes.from_json("x", "UINT8", [2**70])


def test_elements_are_joined_and_split() -> None:
    parts = [b"", b"ab", b"c" * 300]
    assert datatypes.elements("x", memoryview(datatypes.join(parts))) == parts


@pytest.mark.parametrize("data", [b"\1\0", b"\2\0\0\0a"])
def test_incomplete_elements_are_refused(data: bytes) -> None:
    with pytest.raises(TensorError, match="'x'"):
        datatypes.elements("x", memoryview(data))
