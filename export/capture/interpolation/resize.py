"""`Resize` nodes with the output lengths and pixel positions of torch.

torch computes the output length `floor(n * scale)` in float64 and maps output pixel i to `(i + 0.5) / scale - 0.5`. A
`Resize` with constant scales does the same in float32: 50 pixels by 2.3 give 114 in torch and 115 in ONNX runtimes. If any
length differs for a scale, the scale is rounded up and a `Slice` cuts the extra pixels.

See https://onnx.ai/onnx/operators/onnx__Resize.html, aten/src/ATen/native/UpSample.h
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx_ir
from numpy.typing import NDArray
from onnxscript import DOUBLE, INT64, opset18

Value = Any
"""A tensor of the graph that a translation writes."""

op: Any = opset18
"""Writes nodes. It is typed as `Any`, because its annotations allow every element type."""

LONGEST = 16384
"""Largest length at which torch and `Resize` are compared, in pixels."""


def by_scales(image: Value, scales: Sequence[float], **attributes: Any) -> Value:
    """Write a resize from (N, C, n, …) to (N, C, floor(n * scale), …), with positions from the scale."""
    if all(same_lengths(scale) for scale in scales):
        return _resize(image, scales, attributes)
    enlarged = _resize(image, [_rounded_up(scale) for scale in scales], attributes)
    axes = list(range(2, 2 + len(scales)))
    return op.Slice(enlarged, op.Constant(value_ints=[0] * len(axes)), lengths(image, scales), op.Constant(value_ints=axes))


def by_sizes(image: Value, sizes: Value, **attributes: Any) -> Value:
    """Write a resize from (N, C, n, …) to (N, C, *sizes), with positions from the ratio of the sizes."""
    full = op.Concat(op.Shape(image, end=2), as_tensor(sizes), axis=0)
    return op.Resize(image, None, None, full, **attributes)


def as_tensor(sizes: Value) -> Value:
    """Return lengths as one INT64 tensor. Each length is an int or a tensor."""
    if not isinstance(sizes, (list, tuple)):
        return op.Cast(sizes, to=INT64.dtype)
    if all(isinstance(size, int) for size in sizes):
        return op.Constant(value_ints=list(sizes))
    one = op.Constant(value_ints=[1])
    parts = [op.Constant(value_ints=[size]) if isinstance(size, int) else op.Reshape(size, one) for size in sizes]
    return op.Concat(*parts, axis=0) if len(parts) > 1 else parts[0]


def lengths(image: Value, scales: Sequence[float]) -> Value:
    """Write `floor(n * scale)` for every axis after batch and channels, in float64 as in torch."""
    given = op.Cast(op.Shape(image, start=2), to=DOUBLE.dtype)
    return op.Cast(op.Floor(op.Mul(given, double(scales))), to=INT64.dtype)


def double(values: Sequence[float]) -> Value:
    """Return a float64 constant."""
    return op.Constant(value=onnx_ir.tensor(np.array(values, np.float64)))


@cache
def same_lengths(scale: float) -> bool:
    """Return whether float32 and float64 give the same output length up to `LONGEST`."""
    given = np.arange(1, LONGEST + 1)
    return bool(np.array_equal(np.floor(given * scale), np.floor(given.astype(np.float32) * np.float32(scale))))


def _rounded_up(scale: float) -> float:
    nearest = np.float32(scale)
    # Compare Python floats: numpy would compare in float32.
    return float(nearest if float(nearest) >= scale else np.nextafter(nearest, np.float32(np.inf)))


def _resize(image: Value, scales: Sequence[float], attributes: dict[str, Any]) -> Value:
    full: NDArray[np.float32] = np.array([1, 1, *scales], np.float32)
    return op.Resize(image, None, op.Constant(value_floats=full.tolist()), None, **attributes)
