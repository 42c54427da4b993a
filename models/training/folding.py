"""Training of a nearest upsampling head at the cost of low resolution, by the function that it equals.

A convolution of repeated pixels multiplies each of them several times. The sum of its weights over every repetition is a 3x3 kernel
for each phase, so that a convolution at low resolution and a PixelShuffle give the same result.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.models.layers import UpsampleHead


class FoldedUpsampleHead(nn.Sequential):
    """An `UpsampleHead` with its parameters, under the same names: (N, C, H, W) to (N, out, scale*H, scale*W)."""

    def __init__(self, head: UpsampleHead) -> None:
        super().__init__(*head)
        self.scale = round(float(str(head[0].scale_factor)))

    def forward(self, features: Tensor) -> Tensor:
        """Upscale a batch of features."""
        convolution: Any = self[1]
        weight, bias = convolution.weight, convolution.bias
        places = phase_places(weight.shape[-1], self.scale).to(weight.device)
        kernel = torch.einsum("pat,qbu,octu->opqcab", places, places, weight).flatten(0, 2)
        return F.pixel_shuffle(F.conv2d(features, kernel, bias.repeat_interleave(self.scale**2), padding=1), self.scale)


def phase_places(size: int, scale: int) -> Tensor:
    """Return which of three neighbours each tap of a kernel meets, by phase: (scale, 3, size), zeros and ones."""
    phases, taps = torch.arange(scale)[:, None], torch.arange(size)
    neighbour = torch.div(taps - size // 2 + phases, scale, rounding_mode="floor") + 1
    return F.one_hot(neighbour, 3).transpose(1, 2).float()
