"""A picture in memory as floats, in tiles."""

from __future__ import annotations

import numpy as np

from upconv.runtime.session import Tensor
from upconv.runtime.tiling import Tile, TilingPlan
from upconv.runtime.tiling_axis import block_of


class TiledArray:
    """A picture as a float32 array (C, H, W), which is upscaled into another array."""

    def __init__(self, planes: Tensor, plan: TilingPlan, result: Tensor | None = None) -> None:
        """Upscale `planes` into `result`, (C, scale*H, scale*W). By default, this is a new array."""
        self.plan = plan
        if result is None:
            result = np.empty((planes.shape[0], plan.scale * plan.height, plan.scale * plan.width), np.float32)
        self.result = result
        self._planes = planes

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, C, h, w)."""
        rows, columns = self.plan.windows(tile)
        block = block_of(rows, columns, lambda top, bottom, left, right: self._planes[:, top:bottom, left:right], 1)
        return np.ascontiguousarray(block[None])

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Copy the kept part of a tile's output into `result`."""
        kept, (top, left) = self.plan.kept(tile, output[0])
        self.result[:, top : top + kept.shape[1], left : left + kept.shape[2]] = kept
