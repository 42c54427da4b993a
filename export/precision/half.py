"""Conversion of a graph to float16, for devices that compute in it, such as CUDA."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from upconv.export.precision.order import in_order


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model with float16 weights and activations.

    The types of inputs and outputs, the shapes, and the scales of Resize stay unchanged.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return in_order(convert_float_to_float16(copy, keep_io_types=True))
