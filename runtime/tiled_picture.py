"""Conversion of samples to tensors and back, tile by tile.

No whole picture is held in memory as floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upconv.runtime.canvas import Canvas, new_canvas
from upconv.runtime.contract import Contract, Pixels
from upconv.runtime.number_formats import from_levels, to_levels
from upconv.runtime.picture import LUMA, Samples
from upconv.runtime.session import Tensor
from upconv.runtime.spool import part
from upconv.runtime.tiling import Tile, TilingPlan
from upconv.runtime.tiling_axis import block_of


@dataclass(frozen=True)
class TiledPicture:
    """The colour channels of one picture, as the engine's tiled work."""

    plan: TilingPlan
    """The tiles of the picture."""
    source: Samples
    """(H, W, C). The first `channels` channels are computed."""
    channels: int
    """1 for grey, 3 for RGB."""
    input: Pixels
    """The conversion of samples to the input tensor."""
    output: Pixels
    """The conversion of samples to the output tensor."""
    canvas: Canvas
    """The result, (scale*H, scale*W, channels)."""
    chroma: Samples | None = None
    """The colours upscaled by another method, (scale*H, scale*W, 3), if the model computes luma only. `None` otherwise."""

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, C, h, w)."""
        rows, columns = self.plan.windows(tile)
        block: Samples = block_of(rows, columns, self._read, 0)
        return samples_to_tensor(block, self.input)[None]

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Write the kept part of a tile's output, (1, C, scale*h, scale*w), to the canvas. The output is overwritten."""
        planes, dtype, grey = output[0], self.source.dtype, self.channels == 1
        if self.chroma is None and planes.shape[0] == self.channels and planes.flags.c_contiguous and planes.flags.writeable:
            # numpy takes a third of the time for contiguous values in memory that is in use already.
            kept, (top, left) = self.plan.kept(tile, to_levels(planes, self.output, dtype))
            block: NDArray[Any] = kept.astype(dtype).transpose(1, 2, 0)
        else:
            kept, (top, left) = self.plan.kept(tile, planes)
            kept = kept if self.chroma is None else self._colored(kept, top, left)
            block = tensor_to_samples(kept, self.output, dtype, grey=grey)
        self.canvas.write(top, left, block)

    def _read(self, top: int, bottom: int, left: int, right: int) -> Samples:
        return part(self.source, top, bottom, left, right)[..., : self.channels]

    def _colored(self, luma: Tensor, top: int, left: int) -> Tensor:
        """Return R, G and B with this luma: an equal difference in all three changes the luma and leaves the chroma."""
        assert self.chroma is not None
        block = part(self.chroma, top, top + luma.shape[1], left, left + luma.shape[2])
        planes = samples_to_tensor(block, Pixels(low=self.output.low, high=self.output.high))
        return planes + (luma - np.tensordot(LUMA, planes, axes=1)[None])


def tiled_picture(
    source: Samples, channels: int, plan: TilingPlan, contract: Contract, chroma: Samples | None = None
) -> TiledPicture:
    """Return the first `channels` channels of samples (H, W, C) as tiled work, with a new canvas.

    Raises `OutputError` if the disk has no room for the result.
    """
    assert contract.input is not None and contract.output is not None
    canvas = new_canvas((plan.height * plan.scale, plan.width * plan.scale, channels), source.dtype)
    return TiledPicture(plan, source, channels, contract.input, contract.output, canvas, chroma)


def samples_to_tensor(samples: Samples, pixels: Pixels) -> Tensor:
    """Return samples (H, W, 1 or 3) as a tensor (channels, H, W) of float32.

    Values range from `pixels.low` to `pixels.high`. If `pixels.channels` requires it, grey becomes R = G = B, and RGB
    becomes its BT.601 luma.
    """
    # Samples are moved before they become float32, when they have a quarter of the size.
    values: Tensor = np.ascontiguousarray(samples.transpose(2, 0, 1)).astype(np.float32)
    from_levels(values, pixels, samples.dtype)
    if pixels.channels == 3 and values.shape[0] == 1:
        return np.repeat(values, 3, axis=0)
    if pixels.channels == 1 and values.shape[0] == 3:
        return (np.ascontiguousarray(values.transpose(1, 2, 0)) @ LUMA)[None]
    return values


def tensor_to_samples(planes: Tensor, pixels: Pixels, dtype: DTypeLike, *, grey: bool) -> Samples:
    """Return a tensor (C, H, W) as samples (H, W, 1 or 3), rounded and clipped to the range of `dtype`.

    `grey` reduces RGB to its BT.601 luma. The result is a transposed view, not contiguous.
    """
    if grey and planes.shape[0] == 3:
        planes = np.tensordot(LUMA, planes, axes=1)[None]
    samples: Samples = to_levels(planes.copy(), pixels, dtype).astype(dtype).transpose(1, 2, 0)
    return samples
