"""Upscalers without weights: plain interpolation, exported and served like the trained ones."""

from __future__ import annotations

from typing import Literal

from torch import nn


def interpolation(mode: Literal["nearest", "bilinear", "bicubic"], scale: int = 2) -> nn.Upsample:
    """(N, 3, H, W) to (N, 3, scale*H, scale*W) by `nn.Upsample`."""
    return nn.Upsample(scale_factor=float(scale), mode=mode)
