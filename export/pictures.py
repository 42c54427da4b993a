"""How pictures go through a graph that enlarges them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from upconv.export.sources import Source
from upconv.runtime.contract import Pixels, SizeLaw


def image_pixels(source: Source, model: onnx.ModelProto, laws: Sequence[SizeLaw | None]) -> Pixels | None:
    """Return how pictures go through a model that enlarges them; `None` for any other model."""
    if any(law is None or law.scale <= 1 or not law.scale.is_integer() or law.offset for law in laws):
        return None
    if len(model.graph.input) > 1:
        return None
    output = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    channels = source.shapes[0][1]
    if len({law.scale for law in laws if law}) > 1 or channels not in (1, 3) or output[1] != channels:
        return None
    return source.pixels if source.pixels.channels == channels else source.pixels.model_copy(update={"color": "y"})
