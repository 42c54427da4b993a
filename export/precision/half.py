"""Conversion of a graph to float16, for devices that support it (CUDA)."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from upconv.export.precision.order import in_order


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with weights and sums in float16. Inputs, outputs, shapes and the scales of Resize keep their types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return in_order(convert_float_to_float16(copy, keep_io_types=True))
