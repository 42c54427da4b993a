"""The datatypes of the protocol, their numpy and onnxruntime types, and conversions of arrays."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.service.errors import TensorError

BYTES = "BYTES"

NUMPY: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}

_ONNX = {
    **{f"tensor({kind}{bits})": f"{kind.upper()}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)},
    "tensor(bool)": "BOOL",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
}
_VALUES: dict[str, set[type]] = {"b": {bool}, "u": {int}, "i": {int}, "f": {int, float}}
"""The types of JSON values that each kind of numpy type accepts."""


def of_onnx(type: str) -> str:
    """Return the protocol's name of an onnxruntime type, or the type itself if the protocol has no name."""
    return _ONNX.get(type, type)


def shape_of(shape: Sequence[Any]) -> list[int]:
    """Return a shape of onnxruntime with -1 for the axes that are not fixed."""
    return [axis if isinstance(axis, int) else -1 for axis in shape]


def from_binary(name: str, datatype: str, data: memoryview) -> NDArray[Any]:
    """Return a flat array from little-endian bytes.

    Raises `TensorError` if the bytes are not a whole number of elements.
    """
    kind = NUMPY[datatype]
    if len(data) % kind.itemsize:
        raise TensorError(f"input {name!r} has {len(data)} bytes, which are not a whole number of {datatype} elements")
    return np.frombuffer(data, kind)


def from_json(name: str, datatype: str, data: list[Any]) -> NDArray[Any]:
    """Return a flat array from the lists of JSON, nested or flat.

    Raises `TensorError` if they are not an array of `datatype`.
    """
    kind = NUMPY[datatype]
    values = flat(name, data)
    # numpy would convert strings and nulls without an error.
    if not set(map(type, values)) <= _VALUES[kind.kind]:
        raise TensorError(f"the data of input {name!r} holds values that are not {datatype}")
    try:
        with np.errstate(over="ignore"):  # infinite values are refused later
            return np.array(values, np.float64 if kind.kind == "f" else kind).astype(kind)
    except OverflowError as error:
        raise TensorError(f"the data of input {name!r} holds values beyond the range of {datatype}") from error


def flat(name: str, data: list[Any]) -> list[Any]:
    """Return the innermost values of nested lists.

    Raises `TensorError` if the rows of one level differ in length or depth.
    """
    level = data
    while level and isinstance(level[0], list):
        if len({len(row) if isinstance(row, list) else -1 for row in level}) != 1:
            raise TensorError(f"the data of input {name!r} is not an array: its rows differ in length or depth")
        level = list(chain.from_iterable(level))
    return level


def elements(name: str, data: memoryview) -> list[bytes]:
    """Return the elements of a binary BYTES tensor.

    Each element is its length, four bytes little-endian, and its data.

    Raises `TensorError` if the data end within an element.
    """
    return list(_elements(name, data))


def join(parts: list[bytes]) -> bytes:
    """Return the binary BYTES tensor of these elements."""
    return b"".join(piece for part in parts for piece in (struct.pack("<I", len(part)), part))


def _elements(name: str, data: memoryview) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        if start + 4 > len(data):
            raise TensorError(f"input {name!r} ends within the length of an element")
        (length,) = struct.unpack_from("<I", data, start)
        start += 4
        if start + length > len(data):
            raise TensorError(f"input {name!r} announces an element of {length} bytes, but only {len(data) - start} are left")
        yield bytes(data[start : start + length])
        start += length
