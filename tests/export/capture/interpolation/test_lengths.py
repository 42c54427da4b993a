from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


class Recomputed(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=2.3, mode="nearest", recompute_scale_factor=True)


def test_a_computed_length_is_rounded_in_float64() -> None:
    axes = [InputAxis(2, None, free=True)]
    model = capture(Recomputed(), "layer", [np.zeros((1, 1, 7), np.float32)], axes)
    assert OnnxruntimeBackend(model).run([np.zeros((1, 1, 50), np.float32)])[0].shape == (1, 1, 114)
