"""The ways in which sizes leave the example, and the search for the first size at which a condition ceases to hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upconv.export.sizes.axis import InputAxis, Shapes
from upconv.export.sizes.trials import batched
from upconv.runtime.contract import SizeLaw
from upconv.runtime.rounding import round_up

LARGEST_PX = 1 << 14
"""The longest side that conditions are evaluated for."""
LARGEST_BATCH = 1 << 10
"""The largest batch that conditions are evaluated for."""


@dataclass(frozen=True)
class SizeWay:
    """A sequence of input shapes, ever farther from the example."""

    axes: tuple[InputAxis, ...]
    """The axes that change; none if the batch changes."""
    example: Shapes
    """The shapes of the example."""
    direction: int
    """1 if lengths grow, -1 if they shrink."""
    last: int
    """The number of steps, of one multiple each."""

    def length(self, axis: InputAxis, steps: int) -> int:
        """Return the length of one axis after so many steps."""
        law = axis.law or SizeLaw(scale=1)
        base = law.fitted(round_up(self.example[axis.inputs[0]][axis.index], law.multiple))
        length = max(law.fitted(0), base + self.direction * steps * law.multiple)
        return law.fitted_down(length) or length

    def shapes(self, steps: int) -> Shapes:
        """Return the shapes after so many steps."""
        if not self.axes:
            return batched(self.example, steps + 1)
        shapes = self.example
        for axis in self.axes:
            shapes = axis.resized(shapes, self.length(axis, steps)) or shapes
        return shapes


def ways_from(example: Shapes, axes: Sequence[InputAxis], *, free_batch: bool) -> list[SizeWay]:
    """Return the ways to larger and smaller sizes: along each free axis, along all of them, and along the batch."""
    free = tuple(axis for axis in axes if axis.free)
    groups = [(axis,) for axis in free] + ([free] if len(free) > 1 else [])
    ways = [SizeWay(group, example, 1, LARGEST_PX // max(_multiple(axis) for axis in group)) for group in groups]
    for axis in free:
        fewer = (example[axis.inputs[0]][axis.index] - (axis.law.fitted(0) if axis.law else 1)) // _multiple(axis)
        ways += [SizeWay((axis,), example, -1, fewer)] if fewer > 0 else []
    return [*ways, SizeWay((), example, 1, LARGEST_BATCH)] if free_batch else ways


def first_break(holds: Callable[[int], bool], last: int) -> int | None:
    """Return the smallest number up to `last` for which `holds` is false, if it stays false beyond; `None` without one."""
    high = 1
    while high < last and holds(high):
        high *= 2
    high = min(high, last)
    if last < 1 or holds(high):
        return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _multiple(axis: InputAxis) -> int:
    return axis.law.multiple if axis.law else 1
