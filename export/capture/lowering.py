"""Translations of operators that torch's exporter writes without a derivable receptive field, or with another result.

torch's exporter writes `pixel_unshuffle` as Reshape, Transpose, Reshape, whose receptive field is unknown. It equals a
depthwise convolution with stride r whose r * r kernels each select one pixel of a block. The result is exact, because all
other products are 0.

torch's exporter has no translation of `signbit`, which `copysign` needs. It writes `logsigmoid` as Log(Sigmoid(x)), which is minus infinity below -104, where torch returns x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import numpy_helper
from onnxscript import opset18


def pixel_unshuffle(image: Any, downscale_factor: int) -> Any:
    """Write `torch.nn.PixelUnshuffle`, from (N, C, H*r, W*r) to (N, C*r*r, H, W), as one convolution."""
    r, channels = downscale_factor, image.shape[1]
    pick = np.eye(r * r, dtype=np.float32).reshape(r * r, 1, r, r)
    kernel = opset18.Constant(value=numpy_helper.from_array(np.tile(pick, (channels, 1, 1, 1))))
    return opset18.Conv(image, kernel, group=channels, kernel_shape=[r, r], strides=[r, r])


def log_sigmoid(x: Any) -> Any:
    """Write `torch.nn.LogSigmoid`, of any shape, as -Softplus(-x), which is finite for all finite values."""
    return opset18.Neg(opset18.Softplus(opset18.Neg(x)))


def sign_bit(x: Any) -> Any:
    """Write `torch.signbit`, which is true for negative numbers and for -0."""
    number: Any = opset18.Constant(value_float=0.0)
    zero: Any = opset18.CastLike(number, x)
    infinite = opset18.Reciprocal(x)
    return opset18.Or(opset18.Less(x, zero), opset18.And(opset18.Equal(x, zero), opset18.Less(infinite, zero)))


TABLE: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.pixel_unshuffle.default: pixel_unshuffle,
    torch.ops.aten.log_sigmoid.default: log_sigmoid,
    torch.ops.aten.signbit.default: sign_bit,
    torch.ops.prims.signbit.default: sign_bit,
}
"""Translations that replace those of `torch.onnx.export`, by torch operator."""
