"""Other translations of operators that torch's exporter writes in a form from which nothing can be derived.

torch writes `pixel_unshuffle` as Reshape, Transpose, Reshape, which have no receptive field. It is also a depthwise
convolution with stride r whose r*r kernels each pick one pixel of a block. That is exact, as all other products are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import numpy_helper
from onnxscript import opset18


def pixel_unshuffle(image: Any, downscale_factor: int) -> Any:
    """Return (N, C, H*r, W*r) as (N, C*r*r, H, W), as `torch.nn.PixelUnshuffle` does."""
    r, channels = downscale_factor, image.shape[1]
    pick = np.eye(r * r, dtype=np.float32).reshape(r * r, 1, r, r)
    kernel = opset18.Constant(value=numpy_helper.from_array(np.tile(pick, (channels, 1, 1, 1))))
    return opset18.Conv(image, kernel, group=channels, kernel_shape=[r, r], strides=[r, r])


TABLE: dict[Callable[..., Any], Callable[..., Any]] = {torch.ops.aten.pixel_unshuffle.default: pixel_unshuffle}
"""The translations for `torch.onnx.export`."""
