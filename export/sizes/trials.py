"""The input shapes that a graph is tried on."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.export.sizes.axis import InputAxis, Shapes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.rounding import round_up

FAR = 4
"""The factor between the example and the sizes that are tried once, far from it."""
FAR_BATCH = 9
"""The batch that is tried once."""


def trial_shapes(example: Shapes, axes: Sequence[InputAxis], max_batch: int | None = None) -> list[Shapes]:
    """Return the input shapes for trials: example, minimum, odd and non-square sizes, a batch of three or `max_batch`."""
    offsets = [(0, 0), (1, 3), (5, 2), (-1, 7), (11, -2)]
    lengths = [[_minimum(axis, example) for axis in axes]]
    lengths += [[_stepped(axis, example, steps[n % 2]) for n, axis in enumerate(axes)] for steps in offsets]
    trials = [example, *(_resized(example, axes, each) for each in lengths)]
    trials.append(batched(trials[-1], min(3, max_batch or 3)))
    return list(dict.fromkeys(trials))


def far_shapes(example: Shapes, axes: Sequence[InputAxis], max_batch: int | None = None) -> list[Shapes]:
    """Return input shapes far beyond the example: long along one axis at a time, and a large batch."""
    shapes = []
    for axis in (axis for axis in axes if axis.free):
        length = example[axis.inputs[0]][axis.index]
        law = axis.law or SizeLaw(scale=1)
        far = _within(law, round_up(FAR * length + law.multiple, law.multiple))
        shapes.append(axis.resized(example, far) or example)
    batch = FAR_BATCH if max_batch is None else min(FAR_BATCH, max_batch)
    return [s for s in dict.fromkeys([*shapes, batched(example, batch)]) if s != example]


def batched(shapes: Shapes, factor: int) -> Shapes:
    """Return the shapes with a batch that is `factor` times as large."""
    return tuple((factor * shape[0], *shape[1:]) if shape else shape for shape in shapes)


def _minimum(axis: InputAxis, example: Shapes) -> int:
    return axis.law.fitted(0) if axis.law else example[axis.inputs[0]][axis.index]


def _stepped(axis: InputAxis, example: Shapes, steps: int) -> int:
    length = example[axis.inputs[0]][axis.index]
    if not axis.free:
        return length
    law = axis.law or SizeLaw(scale=1)
    return _within(law, law.fitted(round_up(length, law.multiple) + steps * law.multiple))


def _within(law: SizeLaw, length: int) -> int:
    """Return the length, or the longest one of the law if that is shorter."""
    return law.fitted_down(length) or law.fitted(0)


def _resized(example: Shapes, axes: Sequence[InputAxis], lengths: list[int]) -> Shapes:
    shapes = example
    for axis, length in zip(axes, lengths, strict=True):
        shapes = axis.resized(shapes, length) or shapes
    return shapes
