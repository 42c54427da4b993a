"""The sizes a model accepts and makes, found by trying: `output = scale * input + offset`, multiple and minimum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from upconv.runtime.contract import SizeLaw

Shape = tuple[int, ...]
Try = Callable[[Shape], Shape | None]
"""Runs a model on an input of some shape; gives the output's shape, or none where the model refuses."""

MULTIPLES = range(1, 65)
STEPS = (0, 1, 2, 3, 8, 17)
"""Multiples beyond the example's length that are tried: some close together, some far, as what rounds down hides in between."""


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

    constant = False
    for multiple in MULTIPLES:
        base = -(-example[index] // multiple) * multiple
        sizes = [base + step * multiple for step in STEPS]
        results = _all(out, sizes)
        if results is None:
            continue
        law = _line(sizes, results, multiple)
        if law is not None:
            return Axis(index, _with_minimum(law, base, out), free=True)
        constant = constant or multiple == 1
    return Axis(index, None, free=constant)


def trial_shapes(example: Shape, axes: list[Axis]) -> list[Shape]:
    """The inputs that say most about a model: the example, its minimum, odd and non-square ones, a batch of three."""
    wanted = [(0, 0), (1, 3), (5, 2), (-1, 7), (11, -2)]
    shapes = [example, _shape(example, axes, [a.law.minimum if a.law else example[a.index] for a in axes])]
    for steps in wanted:
        lengths = [_stepped(axis, example[axis.index], steps[n % 2]) for n, axis in enumerate(axes)]
        shapes.append(_shape(example, axes, lengths))
    shapes.append((3, *shapes[-1][1:]))
    return list(dict.fromkeys(shapes))


def _all(out: Callable[[int], int | None], sizes: list[int]) -> list[int] | None:
    results = []
    for size in sizes:
        result = out(size)
        if result is None:
            return None
        results.append(result)
    return results


def _line(sizes: list[int], results: list[int], multiple: int) -> SizeLaw | None:
    scale = (results[-1] - results[0]) / (sizes[-1] - sizes[0])
    offset = round(results[0] - scale * sizes[0])
    if scale <= 0 or any(round(scale * n) + offset != r for n, r in zip(sizes, results, strict=True)):
        return None
    law = SizeLaw(scale=scale, offset=offset, multiple=multiple)
    # A slope that is met only by rounding is no law: the pixels of such sizes lie at other places.
    return law if all(math.isclose(scale * n, round(scale * n), abs_tol=1e-6) for n in sizes) else None


def _with_minimum(law: SizeLaw, base: int, out: Callable[[int], int | None]) -> SizeLaw:
    """The smallest size from which on the law holds, by bisection below `base`."""
    fails, holds = 0, base // law.multiple
    while holds - fails > 1:
        middle = (fails + holds) // 2
        size = middle * law.multiple
        if out(size) == law.output(size):
            holds = middle
        else:
            fails = middle
    return law.model_copy(update={"minimum": holds * law.multiple})


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
