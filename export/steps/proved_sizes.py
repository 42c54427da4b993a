"""The sizes up to which a graph equals its source: size laws never promise more than was proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from upconv.export.capture.conditions import SizeCondition, SizeConditions
from upconv.export.sizes import InputAxis, Shapes, SizeWay, far_shapes, first_break, ways_from
from upconv.export.steps.sizes_step import name_of
from upconv.export.steps.trial_sizes import TrialSizes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

BEYOND = 4
"""The factor between the first length at which a condition ceases to hold, and the second one that is tried."""

ROUNDS = 8
"""The largest number of conditions along one way that are found to have no effect."""


class UnequalGraphError(ExportError):
    """The graph is not the same function as the source at one of the trial sizes."""

    line: str = ""
    """The line of the module that decides by the size, if it is known."""
    stride: int = 1
    """The input pixels per feature at the coarsest level of the graph."""


@dataclass
class ProvedSizes:
    """The axes, with laws that hold for the graph, and the largest batch."""

    axes: tuple[InputAxis, ...]
    max_batch: int | None = None
    notes: list[str] = field(default_factory=list)
    """The limits in words."""

    def limit(self, way: SizeWay, steps: int, line: str = "") -> None:
        """Restrict the sizes to those before `steps` along `way`; raises `UnequalGraphError` if no contract can state that."""
        side = "beyond" if way.direction > 0 else "below"
        why = f"by {line}" if line else f"since the graph differs from the module {side}"
        if not way.axes:
            self.max_batch = min(steps, self.max_batch or steps)
            self.notes.append(f"batch up to {steps}, {why}")
        for axis in way.axes:
            length, name = way.length(axis, steps - 1), name_of(axis, way.example)
            if axis.law is None:
                error = UnequalGraphError(
                    f"the graph that torch made is not the same function for {name} {side} {length}, {why}; "
                    "write the module without a decision on sizes"
                )
                error.line = line
                raise error
            self.axes = tuple(_limited(a, length, way.direction) if _same(a, axis) else a for a in self.axes)
            self.notes.append(f"{name} {'up to' if way.direction > 0 else 'from'} {length}, {why}")


def proved_sizes(trial: TrialSizes, axes: Sequence[InputAxis], conditions: SizeConditions, *, free_batch: bool) -> ProvedSizes:
    """Return the sizes for which the graph was proved.

    A size at which a condition of the trace ceases to hold is tried, and sizes far beyond the example are tried, too. If the
    graph differs from the source there, the law ends before.
    """
    proved = ProvedSizes(tuple(axes))
    for way in ways_from(trial.source.shapes, axes, free_batch=free_batch):
        now = tuple(axis for axis in proved.axes if any(_same(axis, other) for other in way.axes))
        _try_conditions(trial, proved, replace(way, axes=now), conditions)
    _try_shortest(trial, proved)
    _try_far(trial, proved, free_batch=free_batch)
    return proved


def _try_conditions(trial: TrialSizes, proved: ProvedSizes, way: SizeWay, conditions: SizeConditions) -> None:
    """Limit the sizes to those before the first condition whose failing changes the output."""
    excused: list[SizeCondition] = []

    def broken(steps: int) -> SizeCondition | None:
        return conditions.broken(way.shapes(steps), excused)

    for _ in range(ROUNDS):
        steps = first_break(lambda n: broken(n) is None, way.last)
        condition = None if steps is None else broken(steps)
        if steps is None or condition is None:
            return
        if not all(trial.agrees(way.shapes(n)) for n in dict.fromkeys((steps, min(BEYOND * steps, way.last)))):
            proved.limit(way, steps, condition.line)
            return
        excused.append(condition)


def _try_shortest(trial: TrialSizes, proved: ProvedSizes) -> None:
    """Raise the minimum lengths, if the graph differs at them, to those from which it agrees."""
    example = trial.source.shapes
    ways = _shrinking(example, proved.axes)
    if trial.agrees(_shortest(example, ways)):
        return
    for way in ways:
        steps = first_break(lambda n, way=way: trial.agrees(way.shapes(n)), way.last)  # type: ignore[misc]
        if steps is not None:
            proved.limit(way, steps)
    ways = _shrinking(example, proved.axes)
    if not trial.agrees(_shortest(example, ways)):
        for way in ways:
            proved.limit(way, 1)


def _shrinking(example: Shapes, axes: Sequence[InputAxis]) -> list[SizeWay]:
    ways = ways_from(example, [axis for axis in axes if axis.law is not None], free_batch=False)
    return [way for way in ways if way.direction < 0]


def _shortest(example: Shapes, ways: Sequence[SizeWay]) -> Shapes:
    for way in ways:
        example = way.axes[0].resized(example, way.length(way.axes[0], way.last)) or example
    return example


def _try_far(trial: TrialSizes, proved: ProvedSizes, *, free_batch: bool) -> None:
    """Limit the sizes to those near the example if the graph differs far from it."""
    example = trial.source.shapes
    for shapes in far_shapes(example, proved.axes, proved.max_batch if free_batch else 1):
        if not trial.affordable(shapes) or trial.agrees(shapes):
            continue
        grown = tuple(a for a in proved.axes if shapes[a.inputs[0]][a.index] != example[a.inputs[0]][a.index])
        proved.limit(SizeWay(grown, example, 1, 1), 1)


def _limited(axis: InputAxis, length: int, direction: int) -> InputAxis:
    law = axis.law or SizeLaw(scale=1)
    if direction < 0:
        return replace(axis, law=law.model_copy(update={"minimum": length}))
    return replace(axis, law=law.model_copy(update={"maximum": min(length, law.maximum or length)}))


def _same(a: InputAxis, b: InputAxis) -> bool:
    return (a.index, a.inputs) == (b.index, b.inputs)
