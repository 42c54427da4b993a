"""The photographs for trials, and the recognition of graphs that upscale pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from upconv.runtime.contract import Pixels, SizeLaw

PHOTOGRAPHS = Path(__file__).parent / "photographs"
"""The folder of small photographs that come with the project. `LICENCES.md` in it names their authors."""

PHOTOGRAPH = PHOTOGRAPHS / "rocket.jpg"
"""The photograph for trials that need only one."""


def image_pixels(model: onnx.ModelProto, channels: int, laws: Sequence[SizeLaw | None], pixels: Pixels) -> Pixels | None:
    """Return the pixels of a model that upscales pictures, or restores them at scale 1, or `None` for any other model.

    `channels` is the length of the input's second axis. `pixels` are the pixels that the source states for its input.
    """
    if any(law is None or law.scale < 1 or not law.scale.is_integer() for law in laws):
        return None
    if len(model.graph.input) > 1:
        return None
    output = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    if len({law.scale for law in laws if law}) > 1 or channels not in (1, 3) or output[1] != channels:
        return None
    return pixels if pixels.channels == channels else Pixels(color="y", low=pixels.low, high=pixels.high)
