"""Upscalers without weights: interpolation, which is exported and served like a trained model."""

from __future__ import annotations

from typing import Literal

from torch import nn


def interpolation(mode: Literal["nearest", "bilinear", "bicubic"], scale: int = 2) -> nn.Upsample:
    """Return an `nn.Upsample`: (N, 3, H, W) to (N, 3, scale*H, scale*W)."""
    return nn.Upsample(scale_factor=float(scale), mode=mode)
