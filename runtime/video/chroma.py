"""Chroma planes made as large as the luma, and small again, with their siting.

The filter is the cubic of Keys (1981) with a = -1/2. Going down, it is stretched by the factor, so that nothing aliases.
A flat plane stays exact, and a linear one stays exact except at its border, where the outer sample is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One component of a frame, or some rows of it, (H, W)."""
REACH = 2
"""Chroma samples that the filter reaches to each side."""

Positions = NDArray[np.float64]
"""Positions along an axis."""
_LUMA_SAMPLES = 32
"""Luma samples along an axis that one product of matrices is about."""
_COLUMNS = 384
"""Columns of one product of matrices."""


@dataclass(frozen=True)
class ChromaAxis:
    """The chroma samples along one axis of a frame."""

    factor: int = 1
    """Luma samples per chroma sample."""
    cosited: bool = False
    """True if a chroma sample lies on the first of its luma samples, false if it lies in the middle of them."""

    @property
    def offset(self) -> float:
        """The position of the first chroma sample, in luma samples."""
        return 0 if self.cosited else (self.factor - 1) / 2

    def count(self, length: int) -> int:
        """Return the number of chroma samples for `length` luma samples."""
        return -(-length // self.factor)

    def enlarged(self, padded: Plane, axis: int) -> Plane:
        """Return `factor` samples along `axis` for each chroma sample of `padded`, without `REACH` of them at each end."""
        return _filtered(padded, axis, self._up)

    def reduced(self, padded: Plane, axis: int) -> Plane:
        """Return one sample along `axis` for `factor` samples of `padded`, without those of `REACH` results at each end."""
        return _filtered(padded, axis, self._down)

    @cached_property
    def _up(self) -> _Filter:
        """The weights of `factor` samples for each of some chroma samples."""
        count = _LUMA_SAMPLES // self.factor
        places = (np.arange(count * self.factor) - self.offset) / self.factor
        return _Filter(places, np.arange(-REACH, count + REACH, dtype=float), 1, count)

    @cached_property
    def _down(self) -> _Filter:
        """The weights of some chroma samples, in luma samples."""
        count, reach = _LUMA_SAMPLES // self.factor, REACH * self.factor
        samples = (np.arange(-reach, count * self.factor + reach) - self.offset) / self.factor
        return _Filter(np.arange(count, dtype=float), samples, self.factor, count)


class _Filter:
    """The matrix of a filter for some results next to each other."""

    def __init__(self, places: Positions, samples: Positions, factor: int, count: int) -> None:
        """Take the places of the results and of the samples, in chroma samples, and the samples for each of `count` steps."""
        weights = _cubic(places[:, None] - samples[None])
        self.weights: Plane = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        """(results, samples)."""
        self.results, self.step = len(places) // count, factor
        """Results and samples of a step."""
        self.count, self.reach = count, 2 * REACH * factor
        """Steps of the whole matrix, and samples beyond those of the steps."""


def _filtered(padded: Plane, axis: int, filter: _Filter) -> Plane:
    """Return the results of a filter along `axis`.

    Products of small matrices are several times as fast as sums of arrays, and too small for the threads of BLAS.
    """
    steps = (padded.shape[axis] - filter.reach) // filter.step
    shape = list(padded.shape)
    shape[axis] = steps * filter.results
    result: Plane = np.empty(shape, np.float32)
    whole = steps // filter.count * filter.count if axis == 1 else 0
    if whole:
        across, down = padded.strides[1], padded.strides[0]
        windows = as_strided(  # much faster than `sliding_window_view`
            padded,
            (whole // filter.count, len(padded), filter.weights.shape[1]),
            (across * filter.count * filter.step, down, across),
        )
        parts = result[:, : whole * filter.results].reshape(len(padded), -1, len(filter.weights))
        parts[...] = np.matmul(windows, filter.weights.T).transpose(1, 0, 2)
    for start in range(whole, steps, filter.count):
        stop = min(steps, start + filter.count)
        count = stop - start
        weights = filter.weights[: count * filter.results, : count * filter.step + filter.reach]
        taken = _along(axis, start * filter.step, stop * filter.step + filter.reach)
        made = _along(axis, start * filter.results, stop * filter.results)
        if axis == 1:
            np.matmul(padded[taken], weights.T, out=result[made])
            continue
        for left in range(0, padded.shape[1], _COLUMNS):
            columns = (slice(None), slice(left, left + _COLUMNS))
            np.matmul(weights, padded[taken][columns], out=result[made][columns])
    return result


def with_border(plane: NDArray[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    """Return the samples from `start` to `stop` along `axis`. Beyond its border, the outer sample of the plane is repeated."""
    length = plane.shape[axis]
    inner = plane[_along(axis, max(0, start), min(length, stop))]
    before, after = max(0, -start), max(0, stop - length)
    if not before and not after:
        return inner
    first, last = inner[_along(axis, 0, 1)], inner[_along(axis, inner.shape[axis] - 1, None)]
    return np.concatenate([*[first] * before, inner, *[last] * after], axis)  # `np.pad` takes ten times as long


def _cubic(x: Positions) -> Positions:
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _along(axis: int, start: int, stop: int | None, step: int = 1) -> tuple[slice, slice]:
    taken = slice(start, stop, step)
    return (taken, slice(None)) if axis == 0 else (slice(None), taken)
