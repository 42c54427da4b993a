"""The inputs of the probe that checks a derived halo."""

from __future__ import annotations

import onnx

from upconv.export.halo import derivation
from upconv.export.halo.trial import BUDGET, strip
from upconv.export.sizes import Shape
from upconv.runtime.contract import Halo, SizeLaw

MARGIN_PX = 16
"""The pixels of a probed input beyond the halo."""


def probe_shapes(model: onnx.ModelProto, channels: int, laws: tuple[SizeLaw, SizeLaw], halo: Halo) -> list[Shape]:
    """Return shapes of inputs larger than the halo: one picture, or a strip along each axis if that is too slow."""
    margins = (halo.top + halo.bottom, halo.left + halo.right)
    height, width = (law.clamped(margin + MARGIN_PX) for law, margin in zip(laws, margins, strict=True))
    if derivation.products_per_pixel(model) * height * width <= BUDGET:
        return [(1, channels, height, width)]
    return [(1, channels, height, strip(laws[1])), (1, channels, strip(laws[0]), width)]
