"""The sizes up to which a graph equals its source: size laws never promise more than was proved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx

from upconv.export.capture.conditions import SizeCondition, SizeConditions
from upconv.export.graphs import accepts
from upconv.export.reference import ReferenceOutputs
from upconv.export.sizes import InputAxis, Shapes, SizeWay, far_shapes, first_break, ways_from
from upconv.export.sources import Source
from upconv.export.steps.sizes_step import name_of
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

AFFORDABLE_S = 4.0
"""The time that one run of the source at a trial size may take. A size that takes longer is not tried, and not promised if a
condition ceases to hold there."""

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
        why = f"by {line}" if line else "since the graph differs from the module beyond"
        if not way.axes:
            self.max_batch = min(steps, self.max_batch or steps)
            self.notes.append(f"batch up to {steps}, {why}")
        for axis in way.axes:
            length, name = way.length(axis, steps - 1), name_of(axis, way.example)
            if axis.law is None:
                error = UnequalGraphError(
                    f"the graph that torch made is not the same function for {name} beyond {length}, {why}; "
                    "write the module without a decision on sizes"
                )
                error.line = line
                raise error
            self.axes = tuple(_limited(a, length, way.direction) if _same(a, axis) else a for a in self.axes)
            self.notes.append(f"{name} {'up to' if way.direction > 0 else 'from'} {length}, {why}")


def proved_sizes(
    source: Source, model: onnx.ModelProto, axes: Sequence[InputAxis], conditions: SizeConditions, *, free_batch: bool
) -> ProvedSizes:
    """Return the sizes for which the graph was proved.

    A size at which a condition of the trace ceases to hold is tried, and sizes far beyond the example are tried, too. If the
    graph differs from the source there, the law ends before.
    """
    proved = ProvedSizes(tuple(axes))
    trial = TrialSizes(source, model)
    for way in ways_from(source.shapes, axes, free_batch=free_batch):
        now = tuple(axis for axis in proved.axes if any(_same(axis, other) for other in way.axes))
        _try_conditions(trial, proved, replace(way, axes=now), conditions)
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


def _try_far(trial: TrialSizes, proved: ProvedSizes, *, free_batch: bool) -> None:
    """Limit the sizes to those near the example if the graph differs far from it."""
    example = trial.source.shapes
    for shapes in far_shapes(example, proved.axes, proved.max_batch if free_batch else 1):
        if not trial.affordable(shapes) or trial.agrees(shapes):
            continue
        grown = tuple(a for a in proved.axes if shapes[a.inputs[0]][a.index] != example[a.inputs[0]][a.index])
        proved.limit(SizeWay(grown, example, 1, 1), 1)


class TrialSizes:
    """Comparisons of a graph with its source at single sizes."""

    def __init__(self, source: Source, model: onnx.ModelProto) -> None:
        self.source, self._model = source, model
        self._seconds: float | None = None

    def affordable(self, shapes: Shapes) -> bool:
        """Return whether a run of the source on inputs of these shapes takes no longer than `AFFORDABLE_S`."""
        if self._seconds is None:
            backend, started = self.source.original.backend("float32"), time.perf_counter()
            backend.run(self.source.example)
            self._seconds = time.perf_counter() - started
        return self._seconds * _elements(shapes) <= AFFORDABLE_S * _elements(self.source.shapes)

    def agrees(self, shapes: Shapes) -> bool:
        """Return whether graph and source compute the same at these shapes; False if that takes too long.

        A size that the graph refuses agrees: nobody gets a wrong output.
        """
        if not accepts(self._model, shapes):
            return True
        if not self.affordable(shapes):
            return False
        try:
            reference = ReferenceOutputs(self.source, (), [shapes])
            if not reference.inputs:
                return False
            verdict = reference.judge(self._model)
        except ExportError:
            return False
        return verdict.equal or (verdict.problem is None and verdict.same_function)


def _elements(shapes: Shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def _limited(axis: InputAxis, length: int, direction: int) -> InputAxis:
    law = axis.law or SizeLaw(scale=1)
    if direction < 0:
        return replace(axis, law=law.model_copy(update={"minimum": length}))
    return replace(axis, law=law.model_copy(update={"maximum": min(length, law.maximum or length)}))


def _same(a: InputAxis, b: InputAxis) -> bool:
    return (a.index, a.inputs) == (b.index, b.inputs)
