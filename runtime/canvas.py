"""Where finished tiles go: memory for small pictures, a spool on disk for large ones."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from upconv.runtime.picture import Samples
from upconv.runtime.spool import Spool

SPOOL_BYTES = 64 * 2**20
"""Pictures with more samples than this lie on disk."""


class Canvas(Protocol):
    """Samples (H, W, C) in the making; threads may write different blocks at once."""

    def write(self, top: int, left: int, block: Samples) -> None:
        """Put a block (h, w, C) in its place."""

    def samples(self) -> Samples:
        """All of it, once it is finished."""


class MemoryCanvas:
    """Samples in memory."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        self._samples: Samples = np.empty(shape, dtype)

    def write(self, top: int, left: int, block: Samples) -> None:
        """Put a block (h, w, C) in its place."""
        place = self._samples[top : top + block.shape[0], left : left + block.shape[1]]
        for channel in range(block.shape[2]):  # much faster than all at once where the block is planar
            place[..., channel] = block[..., channel]

    def samples(self) -> Samples:
        """All of it."""
        return self._samples


def new_canvas(shape: tuple[int, int, int], dtype: DTypeLike) -> Canvas:
    """Room for samples of this shape; raises `OutputError` where the disk has none."""
    large = int(np.prod(shape)) * np.dtype(dtype).itemsize > SPOOL_BYTES
    return Spool(shape, dtype) if large else MemoryCanvas(shape, dtype)
