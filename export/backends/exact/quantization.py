"""DequantizeLinear in the precision of its scale, for every opset. onnx's own starts at opset 19.

    y = (x - zero_point) * scale        with one scale for all values, one per index along `axis`, or one per block

See https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from onnx.reference.op_run import OpRun

Array = NDArray[Any]


class DequantizeLinear(OpRun):
    """The conversion of integers, or of floats of up to 8 bits, to real values."""

    def _run(self, x: Array, scale: Array, zero_point: Array | None = None, **attributes: Any) -> tuple[Array]:
        axis, block = attributes.get("axis"), attributes.get("block_size") or 0
        axis = (1 if axis is None else axis) % max(1, x.ndim)
        kind = np.result_type(np.float32, scale.dtype) if scale.dtype.kind == "f" else np.dtype(np.float32)
        centred = x.astype(kind)
        if zero_point is not None:
            centred = centred - _spread(zero_point, x.shape, axis, block).astype(kind)
        made = centred * _spread(scale, x.shape, axis, block).astype(kind)
        output_type = attributes.get("output_dtype")
        return (made.astype(helper.tensor_dtype_to_np_dtype(output_type) if output_type else scale.dtype),)


def _spread(values: Array, shape: tuple[int, ...], axis: int, block: int) -> Array:
    """Return scales or zero points in a shape that broadcasts to the shape of the tensor."""
    if values.ndim == 0 or values.size == 1:
        return values.reshape(())
    if block:
        return np.repeat(values, block, axis=axis).take(range(shape[axis]), axis=axis)
    return values.reshape([-1 if n == axis else 1 for n in range(len(shape))])
