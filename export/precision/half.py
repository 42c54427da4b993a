"""A graph in float16, for processors that have it: CUDA."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from upconv.export.precision.order import in_order


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with weights and sums in float16; inputs, outputs, shapes and the scales of Resize stay what they were."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return in_order(convert_float_to_float16(copy, keep_io_types=True))
