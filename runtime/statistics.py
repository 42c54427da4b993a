"""The passes of a picture through a model that needs means over the whole picture.

Each level of means takes one pass over the tiles, which sums the feature maps. The last pass takes all means as inputs, so
that its tiles equal the whole picture. Sums are in float64, and each position counts once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.contract import Contract, Statistic
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.schedule import TiledWork
from upconv.runtime.session import Tensor
from upconv.runtime.tiling import Tile, TilingPlan
from upconv.runtime.tiling_axis import TileSpan


def passes_of(work: TiledWork, contract: Contract) -> Iterator[TiledWork]:
    """Yield the works that compute `work`, in order; each must be complete before the next one is taken.

    It is `work` alone if the model needs no means, or if one tile holds the whole picture.
    """
    if work.plan.passes == 1:
        yield work
        return
    means: dict[str, Tensor] = {}
    for level in range(contract.levels):
        sums = FeatureSums(work, tuple(s for s in contract.statistics if s.level == level), ModelPass(dict(means), level))
        yield sums
        means |= sums.means()
    yield GivenMeans(work, ModelPass(means))


@dataclass(frozen=True)
class GivenMeans:
    """A picture whose tiles are computed with means that are known."""

    work: TiledWork
    """The picture."""
    part: ModelPass
    """The means."""

    @property
    def plan(self) -> TilingPlan:
        """The tiles of the picture."""
        return self.work.plan

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, C, h, w)."""
        return self.work.cut(tile)

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Store the kept part of a tile's output, (1, C, h, w)."""
        self.work.paste(tile, output)


@dataclass
class FeatureSums:
    """The sums of feature maps over the tiles of a picture."""

    work: TiledWork
    """The picture."""
    statistics: tuple[Statistic, ...]
    """The means of this level."""
    part: ModelPass
    """The means of the levels below, and this level."""
    _sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def plan(self) -> TilingPlan:
        """The tiles of the picture."""
        return self.work.plan

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, C, h, w)."""
        return self.work.cut(tile)

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Add the positions of a tile that no other tile adds. `output` is the feature map of a level with one mean."""
        self.add(tile, [output])

    def add(self, tile: Tile, maps: Sequence[Tensor]) -> None:
        """Add the positions of a tile that no other tile adds. `maps` are the feature maps, each (1, C, h, w)."""
        for statistic, features in zip(self.statistics, maps, strict=True):
            rows = _positions(tile.rows, self.plan.rows.padded, features.shape[2], statistic.scale)
            columns = _positions(tile.columns, self.plan.columns.padded, features.shape[3], statistic.scale)
            kept = features[0, :, rows, columns]
            sums = kept.sum(axis=(1, 2), dtype=np.float64)
            with self._lock:
                self._sums[statistic.mean] = self._sums.get(statistic.mean, 0) + sums
                self._counts[statistic.mean] = self._counts.get(statistic.mean, 0) + kept[0].size

    def means(self) -> dict[str, Tensor]:
        """Return the means over all tiles, by the name of their tensor, in the shapes that the model takes."""
        return {s.mean: _shaped(self._sums[s.mean] / self._counts[s.mean], s) for s in self.statistics}


def _shaped(values: NDArray[np.float64], statistic: Statistic) -> Tensor:
    shape = (1, *(int(length) for length in statistic.shape[1:]))
    result: Tensor = values.astype(np.float32).reshape(shape)
    return result


def _positions(span: TileSpan, padded: int, length: int, scale: float) -> slice:
    """Return the positions of a tile's feature map, `length` long, that belong to the kept pixels along one axis.

    The first tile keeps the positions before them, and the last tile those after them, too.
    """
    start = 0 if span.keep_start == 0 else round((span.keep_start - span.start) * scale)
    return slice(start, length if span.stop == padded else round((span.keep_stop - span.start) * scale))
