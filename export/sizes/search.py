"""The search for the axes whose length can change, and for their size laws.

The output axis that follows an input axis is found by trials, not by position: the input axis is varied, and the output
axis whose length changes follows it. If two input axes change one output axis, as in a row of all pixels, no law is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from upconv.export.sizes.axis import InputAxis, Shape, Shapes, leading
from upconv.export.sizes.fitting import following, line, with_bounds
from upconv.export.sizes.layout import PLACES
from upconv.export.sizes.trials import batched
from upconv.runtime.rounding import round_up

Try = Callable[[Shapes], Shapes | None]
"""Runs a model on inputs of these shapes and returns the output shapes, or `None` if the model refuses them."""

MULTIPLES = (*range(1, 65), 128, 256, 512)
"""The multiples that are tried."""
STEPS = (0, 1, 2, 3, 8, 17, 33, 65)
"""The trial lengths beyond the example, in multiples. Both near and far ones are needed to see a model that rounds: a
multiple of 63 looks like 64 up to 63 steps."""


def find_axes(
    attempt: Try, example: Shapes, multiple: int = 1, layout: str | None = None, beside: Mapping[int, str] | None = None
) -> list[InputAxis]:
    """Return the axes of the leading input whose length can change, with laws for multiples of `multiple`.

    These are the axes beyond batch and channels. The channels are the second axis, unless the last axis has one length
    only and the second has several. In an input of three axes whose first has one length only, that axis is the channels.
    `layout` states the axes of the leading input instead, in letters such as `NHWC`, and `beside` those of other inputs, by
    number. Axes of other inputs follow.
    """
    tried = cache(attempt)
    axes = _stated(tried, example, multiple, layout) if layout else _guessed(tried, example, multiple)
    return [*_independent(tried, example, axes), *_of_tokens(tried, example, axes, beside or {})]


def find_axis(attempt: Try, example: Shapes, index: int, multiple: int = 1) -> InputAxis:
    """Return one axis with its size law; all other axes have their lengths of `example`."""
    lead = leading(example)
    rank = len(example[lead])
    joint = (lead, *(n for n, shape in enumerate(example) if n != lead and len(shape) == rank))
    found = _find(attempt, example, InputAxis(index, None, free=False, inputs=joint), multiple)
    if found.free or len(joint) == 1:
        return found
    return _find(attempt, example, InputAxis(index, None, free=False, inputs=(lead,)), multiple)


def accepts_batches(attempt: Try, example: Shapes) -> bool:
    """Return whether the model takes a batch of two, and makes twice as much of its first output."""
    one, two = attempt(example), attempt(batched(example, 2))
    return one is not None and two is not None and _doubled(one[0], two[0])


def _doubled(one: Shape, two: Shape) -> bool:
    return bool(one) and two == (2 * one[0], *one[1:])


def _guessed(attempt: Try, example: Shapes, multiple: int) -> list[InputAxis]:
    rank = len(example[leading(example)])
    axes = [find_axis(attempt, example, index, multiple) for index in range(2, rank)]
    if rank < 3 or (axes[-1].free and (rank > 3 or accepts_batches(attempt, example))):
        return axes
    second = find_axis(attempt, example, 1, multiple)
    if not second.free:
        return axes
    return [second, *axes] if axes[-1].free else [second, *axes[:-1]]


def _stated(attempt: Try, example: Shapes, multiple: int, layout: str) -> list[InputAxis]:
    return [find_axis(attempt, example, index, multiple) for index, letter in enumerate(layout) if letter in PLACES]


def _of_tokens(attempt: Try, example: Shapes, axes: Sequence[InputAxis], stated: Mapping[int, str]) -> list[InputAxis]:
    """Return the free axes of inputs that do not grow with the leading input.

    These are the stated ones, and otherwise the second axis of an input of three axes, (batch, tokens, channels).
    """
    known = {leading(example), *(number for axis in axes for number in axis.inputs)}
    places = [
        (number, index)
        for number, shape in enumerate(example)
        if number not in known and (number in stated or len(shape) == 3)
        for index, letter in enumerate(stated.get(number, "NTC"))
        if letter in PLACES
    ]
    found = [InputAxis(index, None, free=True, inputs=(number,)) for number, index in places]
    return [axis for axis in found if _any_length(attempt, example, axis)]


def _any_length(attempt: Try, example: Shapes, axis: InputAxis) -> bool:
    length = example[axis.inputs[0]][axis.index]
    return length > 1 and all(_outputs(attempt, example, axis, length + step) is not None for step in (1, 2, 7, length))


def _outputs(attempt: Try, example: Shapes, axis: InputAxis, length: int) -> Shapes | None:
    shapes = axis.resized(example, length)
    return None if shapes is None else attempt(shapes)


def _independent(attempt: Try, example: Shapes, axes: list[InputAxis]) -> list[InputAxis]:
    """Return the axes without those laws that do not hold when the other axes change, too."""
    lawful = [axis for axis in axes if axis.law is not None]
    shared = {axis.target for axis in lawful if sum(other.target == axis.target for other in lawful) > 1}
    shapes = example
    for axis in axes:
        step = axis.law.multiple if axis.law else 1
        length = example[axis.inputs[0]][axis.index] + step
        if axis.free:
            shapes = axis.resized(shapes, length) or shapes
    made = attempt(shapes)
    return [axis if _holds(axis, shapes, made, shared) else replace(axis, law=None) for axis in axes]


def _holds(axis: InputAxis, shapes: Shapes, made: Shapes | None, shared: set[tuple[int, int]]) -> bool:
    if axis.law is None or axis.target in shared or made is None:
        return False
    return axis.law.output(shapes[axis.inputs[0]][axis.index]) == axis.made(made)


def _find(attempt: Try, example: Shapes, axis: InputAxis, known: int) -> InputAxis:
    length = example[axis.inputs[0]][axis.index]

    def out(size: int) -> Shapes | None:
        return _outputs(attempt, example, axis, size)

    for multiple in (n for n in MULTIPLES if n % known == 0):
        base = round_up(length, multiple)
        sizes = [base + step * multiple for step in STEPS]
        results = _all(out, sizes, axis.index, straight=multiple > 1)
        if results is None:
            continue
        target = following(results, axis.index)
        if multiple == 1:
            axis = replace(axis, free=True)
        if target is None:
            far = out(length + MULTIPLES[-1])
            if axis.free and far is not None and following([*results, far], axis.index) is None:
                break  # the output size does not depend on the input size, so no other multiple gives a law
            continue
        law = line(sizes, _lengths(results, target), multiple)
        if law is None:
            continue
        if length % multiple and out(length) is not None:
            break  # a law that excludes the example is of no use to whoever gave it
        found = replace(axis, output=target, free=True)
        return replace(found, law=with_bounds(law, base, _following(found, out)))
    return axis


def _following(axis: InputAxis, out: Callable[[int], Shapes | None]) -> Callable[[int], int | None]:
    """Return a function from a length of the axis to that of the output axis that follows it."""

    def length(size: int) -> int | None:
        made = out(size)
        return None if made is None else axis.made(made)

    return length


def _all(out: Callable[[int], Shapes | None], sizes: list[int], index: int, *, straight: bool) -> list[Shapes] | None:
    """Return the output shapes for each size.

    Returns `None` if a size fails or, with `straight`, if a result is not on the line of those before it.
    """
    results: list[Shapes] = []
    for size in sizes:
        made = out(size)
        if made is None:
            return None
        results.append(made)
        if straight and not _on_line(sizes, results, index):
            return None
    return results


def _on_line(sizes: list[int], results: list[Shapes], index: int) -> bool:
    """Return whether the last result lies on the line through the first two."""
    target = following(results, index)
    if target is None:
        return True
    made = _lengths(results, target)
    run, rise = sizes[1] - sizes[0], made[1] - made[0]
    return (made[-1] - made[0]) * run == rise * (sizes[len(made) - 1] - sizes[0])


def _lengths(results: list[Shapes], target: tuple[int, int]) -> list[int]:
    output, index = target
    return [shapes[output][index] for shapes in results]
