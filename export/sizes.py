"""The sizes a model accepts and makes, found by trying: `output = scale * input + offset`, multiple and minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from upconv.runtime.contract import SizeLaw

Shape = tuple[int, ...]
Try = Callable[[Shape], Shape | None]
"""Runs a model on an input of some shape; gives the output's shape, or none where the model refuses."""

MULTIPLES = (*range(1, 17), 24, 32, 48, 64)


@dataclass(frozen=True)
class Axis:
    """What was found along one axis of the input."""

    index: int
    """Which axis: 0 is the batch."""
    law: SizeLaw | None
    """None where the output does not grow with the input."""
    free: bool
    """Whether more than one size works at all."""


def find_axis(attempt: Try, example: Shape, index: int) -> Axis:
    """The law along one axis, all others as in `example`."""

    def out(size: int) -> int | None:
        shape = attempt((*example[:index], size, *example[index + 1 :]))
        return shape[index] if shape is not None and len(shape) > index else None

    for multiple in MULTIPLES:
        base = -(-example[index] // multiple) * multiple
        sizes = [base + step * multiple for step in range(4)]
        results = [out(size) for size in sizes]
        known = [r for r in results if r is not None]
        if len(known) < len(sizes):
            continue
        law = _line(sizes, known, multiple)
        if law is not None:
            return Axis(index, _with_minimum(law, base, out), free=True)
        if len(set(known)) == 1:
            return Axis(index, None, free=True)
    return Axis(index, None, free=False)


def trial_shapes(example: Shape, axes: list[Axis]) -> list[Shape]:
    """The inputs that say most about a model: the example, its minimum, odd and non-square ones, a batch of three."""
    wanted = [(0, 0), (1, 3), (5, 2), (-1, 7), (11, -2)]
    shapes = [example, _shape(example, axes, [a.law.minimum if a.law else example[a.index] for a in axes])]
    for steps in wanted:
        lengths = [_stepped(axis, example[axis.index], steps[n % 2]) for n, axis in enumerate(axes)]
        shapes.append(_shape(example, axes, lengths))
    shapes.append((3, *shapes[-1][1:]))
    return list(dict.fromkeys(shapes))


def _line(sizes: list[int], results: list[int], multiple: int) -> SizeLaw | None:
    rise = results[1] - results[0]
    steps = [b - a for a, b in pairwise(results)]
    if rise <= 0 or steps != [rise] * len(steps):
        return None
    scale = rise / multiple
    offset = results[0] - scale * sizes[0]
    return SizeLaw(scale=scale, offset=int(offset), multiple=multiple) if offset.is_integer() else None


def _with_minimum(law: SizeLaw, base: int, out: Callable[[int], int | None]) -> SizeLaw:
    """The smallest size from which on the law holds without a gap, looked for downwards from `base`."""
    smallest = base
    while smallest > law.multiple and out(smallest - law.multiple) == round(law.scale * (smallest - law.multiple)) + law.offset:
        smallest -= law.multiple
    return law.model_copy(update={"minimum": smallest})


def _stepped(axis: Axis, length: int, steps: int) -> int:
    if not axis.free:
        return length
    multiple = axis.law.multiple if axis.law else 1
    minimum = axis.law.minimum if axis.law else 1
    base = -(-length // multiple) * multiple
    return max(minimum, base + steps * multiple)


def _shape(example: Shape, axes: list[Axis], lengths: list[int]) -> Shape:
    shape = list(example)
    for axis, length in zip(axes, lengths, strict=True):
        shape[axis.index] = length
    return tuple(shape)
