"""Canvases: the samples of a result that is being computed, in memory or, for large pictures, on disk."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from upconv.runtime.picture import Samples
from upconv.runtime.spool import Spool

SPOOL_BYTES = 64 * 2**20
"""Largest size of a result in memory, in bytes. Larger ones are spooled to disk."""


class Canvas(Protocol):
    """Samples (H, W, C) of a result. Threads may write different blocks at the same time."""

    def write(self, top: int, left: int, block: Samples) -> None:
        """Write a block (h, w, C) at row `top` and column `left`."""

    def samples(self) -> Samples:
        """Return all samples, after the last block is written."""


class MemoryCanvas:
    """A canvas in memory."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self._samples: Samples = np.empty(shape, dtype)

    def write(self, top: int, left: int, block: Samples) -> None:
        """Write a block (h, w, C) at row `top` and column `left`."""
        place = self._samples[top : top + block.shape[0], left : left + block.shape[1]]
        for channel in range(block.shape[2]):  # much faster than one assignment if the block is planar
            place[..., channel] = block[..., channel]

    def samples(self) -> Samples:
        """Return all samples."""
        return self._samples


def new_canvas(shape: tuple[int, int, int], dtype: DTypeLike) -> Canvas:
    """Return a canvas of this shape, in memory or on disk. Raises `OutputError` if the disk has no room."""
    large = int(np.prod(shape)) * np.dtype(dtype).itemsize > SPOOL_BYTES
    return Spool(shape, dtype) if large else MemoryCanvas(shape, dtype)
