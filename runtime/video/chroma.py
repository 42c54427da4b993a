"""Chroma planes made as large as the luma, and small again, with their siting.

The filter is the cubic of Keys (1981) with a = -1/2. Going down, it is stretched by the factor, so that nothing aliases.
A flat plane stays exact, and a linear one stays exact except at its border, where the outer sample is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One component of a frame, or some rows of it, (H, W)."""
REACH = 2
"""Chroma samples that the filter reaches to each side."""

_Taps = tuple[tuple[int, np.float32], ...]
"""Positions relative to a sample, ascending, with their weights."""


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
        count = padded.shape[axis] - 2 * REACH
        shape = list(padded.shape)
        shape[axis] = count * self.factor
        result: Plane = np.empty(shape, np.float32)
        for phase, taps in enumerate(self._up):
            parts = [padded[_along(axis, REACH + position, REACH + position + count)] for position, _ in taps]
            result[_along(axis, phase, None, self.factor)] = _sum(parts, taps)
        return result

    def reduced(self, padded: Plane, axis: int) -> Plane:
        """Return one sample along `axis` for `factor` samples of `padded`, without those of `REACH` results at each end."""
        count = padded.shape[axis] // self.factor - 2 * REACH
        # Every `factor`-th sample along the rows is copied once, because reading them apart for each tap is slow.
        phases = [np.ascontiguousarray(padded[_along(axis, phase, None, self.factor)]) for phase in range(self.factor)]
        places = (divmod(position, self.factor) for position, _ in self._down)
        return _sum([phases[phase][_along(axis, REACH + at, REACH + at + count)] for at, phase in places], self._down)

    @cached_property
    def _up(self) -> tuple[_Taps, ...]:
        """The taps of each of the `factor` samples that stand for a chroma sample, in chroma samples."""
        positions = ((phase - self.offset) / self.factor for phase in range(self.factor))
        return tuple(
            _normalized((k, _cubic(at - k)) for k in range(math.floor(at) - 1, math.floor(at) + 3)) for at in positions
        )

    @cached_property
    def _down(self) -> _Taps:
        """The taps of a chroma sample, in luma samples."""
        reach = range(-REACH * self.factor, (REACH + 1) * self.factor)
        return _normalized((x, _cubic((x - self.offset) / self.factor)) for x in reach)


def with_border(plane: NDArray[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    """Return the samples from `start` to `stop` along `axis`. Beyond its border, the outer sample of the plane is repeated."""
    length = plane.shape[axis]
    inner = plane[_along(axis, max(0, start), min(length, stop))]
    before, after = max(0, -start), max(0, stop - length)
    if not before and not after:
        return inner
    first, last = inner[_along(axis, 0, 1)], inner[_along(axis, inner.shape[axis] - 1, None)]
    return np.concatenate([*[first] * before, inner, *[last] * after], axis)  # `np.pad` takes ten times as long


def _sum(parts: list[Plane], taps: _Taps) -> Plane:
    """Return the sum of the parts, weighted by the taps. Parts of equal weight are added first, which saves products."""
    result: Plane | None = None
    for weight in dict.fromkeys(weight for _, weight in taps):
        equal = [part for part, (_, own) in zip(parts, taps, strict=True) if own == weight]
        product: Plane = equal[0] * weight if len(equal) == 1 else equal[0] + equal[1]
        for part in equal[2:]:
            product += part
        if len(equal) > 1:
            product *= weight
        result = product if result is None else np.add(result, product, out=result)
    assert result is not None
    return result


def _normalized(taps: Iterable[tuple[int, float]]) -> _Taps:
    """Return the taps whose weight is not 0, with a sum of 1."""
    kept = [(position, weight) for position, weight in taps if weight]
    total = sum(weight for _, weight in kept)
    return tuple((position, np.float32(weight / total)) for position, weight in kept)


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((2.5 - 0.5 * x) * x - 4) * x + 2 if x < 2 else 0


def _along(axis: int, start: int, stop: int | None, step: int = 1) -> tuple[slice, slice]:
    taken = slice(start, stop, step)
    return (taken, slice(None)) if axis == 0 else (slice(None), taken)
