"""Size laws, `output = scale * input + offset`, found by trials.

A law holds for multiples of `multiple` from `minimum` up. If a model has several inputs, those with as many axes as the
leading input grow with it in proportion. The law holds for the leading input and the first output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upconv.runtime.contract import MAX_LENGTH, Contract, SizeLaw
from upconv.runtime.errors import ExportError
from upconv.runtime.rounding import round_up

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
"""The shapes of all inputs, or of all outputs, in the model's order."""
Try = Callable[[Shapes], Shapes | None]
"""Runs a model on inputs of these shapes and returns the output shapes, or `None` if the model refuses them."""

MULTIPLES = range(1, 65)
"""The multiples that are tried."""
STEPS = (0, 1, 2, 3, 8, 17)
"""The trial lengths beyond the example, in multiples. Both near and far ones are needed to see a model that rounds down."""


@dataclass(frozen=True)
class InputAxis:
    """One axis of the inputs, with its size law."""

    index: int
    """The number of the axis; 0 is the batch."""
    law: SizeLaw | None
    """The size law, or `None` if the output does not grow with the input."""
    free: bool
    """Whether more than one size works."""
    inputs: tuple[int, ...] = (0,)
    """The numbers of the inputs that grow along this axis, the leading input first."""

    def resized(self, shapes: Shapes, length: int) -> Shapes | None:
        """Return `shapes` with this length of the leading input along the axis.

        The other inputs grow in proportion. Returns `None` if one of their lengths would not be a whole number.
        """
        lead = shapes[self.inputs[0]][self.index]
        result = list(shapes)
        for number in self.inputs:
            other, rest = divmod(shapes[number][self.index] * length, lead)
            if rest:
                return None
            result[number] = (*shapes[number][: self.index], other, *shapes[number][self.index + 1 :])
        return tuple(result)


def leading(shapes: Shapes) -> int:
    """Return the number of the leading input, which size laws refer to.

    It is the first input with axes beyond batch and channels, or the first input if there is no such input.
    """
    return next((number for number, shape in enumerate(shapes) if len(shape) > 2), 0)


def find_axes(attempt: Try, example: Shapes, multiple: int = 1) -> list[InputAxis]:
    """Return every axis beyond batch and channels, with laws for multiples of `multiple`."""
    return [find_axis(attempt, example, index, multiple) for index in range(2, len(example[leading(example)]))]


def find_axis(attempt: Try, example: Shapes, index: int, multiple: int = 1) -> InputAxis:
    """Return one axis with its size law; all other axes have their lengths of `example`."""
    lead = leading(example)
    rank = len(example[lead])
    joint = (lead, *(n for n, shape in enumerate(example) if n != lead and len(shape) == rank))
    found = _find(attempt, example, InputAxis(index, None, free=False, inputs=joint), multiple)
    if found.free or len(joint) == 1:
        return found
    return _find(attempt, example, InputAxis(index, None, free=False, inputs=(lead,)), multiple)


def _find(attempt: Try, example: Shapes, axis: InputAxis, known: int) -> InputAxis:
    length = example[axis.inputs[0]][axis.index]

    def out(size: int) -> int | None:
        shapes = axis.resized(example, size)
        made = None if shapes is None else attempt(shapes)
        return made[0][axis.index] if made is not None and len(made[0]) > axis.index else None

    constant = False
    for multiple in (n for n in MULTIPLES if n % known == 0):
        base = round_up(length, multiple)
        sizes = [base + step * multiple for step in STEPS]
        results = _all(out, sizes, straight=multiple > 1)
        if results is None:
            continue
        law = _line(sizes, results, multiple)
        if law is not None:
            return InputAxis(axis.index, _with_minimum(law, base, out), free=True, inputs=axis.inputs)
        constant = constant or multiple == 1
        if constant and {*results, out(length + STEPS[-1] * MULTIPLES[-1])} == {results[0]}:
            break  # the output size does not depend on the input size, so no other multiple gives a law
    return InputAxis(axis.index, None, free=constant, inputs=axis.inputs)


def axes_of(contract: Contract) -> tuple[InputAxis, ...]:
    """Return the height and width axes with the laws of a contract, or nothing if it has no laws."""
    laws = (contract.height, contract.width)
    return tuple(InputAxis(index, law, free=law is not None) for index, law in enumerate(laws, start=2)) if any(laws) else ()


def trial_shapes(example: Shapes, axes: Sequence[InputAxis]) -> list[Shapes]:
    """Return the input shapes for trials: example, minimum, odd and non-square sizes, a batch of three."""
    offsets = [(0, 0), (1, 3), (5, 2), (-1, 7), (11, -2)]
    lengths = [[_minimum(axis, example) for axis in axes]]
    lengths += [[_stepped(axis, example, steps[n % 2]) for n, axis in enumerate(axes)] for steps in offsets]
    trials = [example, *(_resized(example, axes, each) for each in lengths)]
    trials.append(tuple((3 * shape[0], *shape[1:]) if shape else shape for shape in trials[-1]))
    return list(dict.fromkeys(trials))


def _all(out: Callable[[int], int | None], sizes: list[int], *, straight: bool) -> list[int] | None:
    """Return the output length for each size.

    Returns `None` if a size fails or, with `straight`, if a result is not on the line of those before it.
    """
    results: list[int] = []
    for size in sizes:
        result = out(size)
        if result is None:
            return None
        results.append(result)
        if straight and len(results) > 2 and not _on_line(sizes, results):
            return None
    return results


def _on_line(sizes: list[int], results: list[int]) -> bool:
    """Return whether the last result lies on the line through the first two."""
    run, rise = sizes[1] - sizes[0], results[1] - results[0]
    return (results[-1] - results[0]) * run == rise * (sizes[len(results) - 1] - sizes[0])


def _line(sizes: list[int], results: list[int], multiple: int) -> SizeLaw | None:
    scale = (results[-1] - results[0]) / (sizes[-1] - sizes[0])
    offset = round(results[0] - scale * sizes[0])
    if scale <= 0 or any(round(scale * n) + offset != r for n, r in zip(sizes, results, strict=True)):
        return None
    law = SizeLaw(scale=scale, offset=offset, multiple=multiple)
    # A slope that fits only after rounding is not a law: the pixels of such sizes lie at other positions.
    return law if all(math.isclose(scale * n, round(scale * n), abs_tol=1e-6) for n in sizes) else None


def _with_minimum(law: SizeLaw, base: int, out: Callable[[int], int | None]) -> SizeLaw:
    """Return the law with the smallest size from which it holds, found by bisection below `base`."""
    fails, holds = 0, base // law.multiple
    while holds - fails > 1:
        middle = (fails + holds) // 2
        size = middle * law.multiple
        if out(size) == law.output(size):
            holds = middle
        else:
            fails = middle
    minimum = holds * law.multiple
    if minimum > MAX_LENGTH:
        raise ExportError(
            f"the model needs inputs of at least {minimum} pixels per side; a contract allows {MAX_LENGTH} at most"
        )
    return law.model_copy(update={"minimum": minimum})


def _minimum(axis: InputAxis, example: Shapes) -> int:
    return axis.law.minimum if axis.law else example[axis.inputs[0]][axis.index]


def _stepped(axis: InputAxis, example: Shapes, steps: int) -> int:
    length = example[axis.inputs[0]][axis.index]
    if not axis.free:
        return length
    law = axis.law or SizeLaw(scale=1)
    return law.fitted(round_up(length, law.multiple) + steps * law.multiple)


def _resized(example: Shapes, axes: Sequence[InputAxis], lengths: list[int]) -> Shapes:
    shapes = example
    for axis, length in zip(axes, lengths, strict=True):
        shapes = axis.resized(shapes, length) or shapes
    return shapes
