"""A frame as the engine's tiled work, whose result becomes planes without a picture in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from upconv.runtime.canvas import MemoryCanvas
from upconv.runtime.contract import Contract
from upconv.runtime.picture import Samples
from upconv.runtime.session import Tensor
from upconv.runtime.tiled_picture import TiledPicture
from upconv.runtime.tiling import Tile, TilingPlan
from upconv.runtime.video.planes import PlaneCanvas, rows_at_once


@dataclass(frozen=True)
class TiledFrame:
    """The colours of one frame, for a model that puts out R, G and B."""

    picture: TiledPicture
    """The frame as a picture, whose own canvas is empty."""
    canvas: PlaneCanvas
    """The result, scale*H x scale*W."""

    @property
    def plan(self) -> TilingPlan:
        """The tiles of the frame."""
        return self.picture.plan

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, 3, h, w)."""
        return self.picture.cut(tile)

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Write the kept part of a tile's output, (1, 3, scale*h, scale*w), to the canvas."""
        kept, (top, left) = self.plan.kept(tile, output[0])
        low, high = self.picture.output.low, self.picture.output.high
        step = rows_at_once(kept.shape[2])
        for first in range(0, kept.shape[1], step):
            block = np.clip(kept[:, first : first + step], low, high)
            if (low, high) != (0, 1):
                block = (block - np.float32(low)) * np.float32(1 / (high - low))
            self.canvas.write(top + first, left, list(block))


def tiled_frame(plan: TilingPlan, source: Samples, contract: Contract, canvas: PlaneCanvas) -> TiledFrame:
    """Return samples (H, W, 3) as tiled work that writes to `canvas`."""
    assert contract.input is not None and contract.output is not None
    empty = MemoryCanvas((0, 0, 3), source.dtype)
    return TiledFrame(TiledPicture(plan, source, 3, contract.input, contract.output, empty), canvas)
