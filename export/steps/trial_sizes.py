"""Comparisons of a graph with its source at single sizes.

Let f be the output of the source in float32, and y that in float64. If a graph is off from f by at most three noise floors, it is
off from y by at most four, since the noise floor is the largest |f - y|. So float64 is computed only where this does not decide.
"""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np
import onnx

from upconv.export.backends import Backend, OnnxruntimeBackend
from upconv.export.graphs import accepts
from upconv.export.reference import ReferenceOutputs, TrialOutputs, accepted, inputs_of
from upconv.export.sizes import Shapes
from upconv.export.sources import Source
from upconv.export.verdict import CEILING, FACTOR, FLAT, Outputs, compare_outputs, error, problem
from upconv.runtime.errors import ExportError

AFFORDABLE_S = 4.0
"""The processor time that one run of the source at a trial size may take. A size that takes longer is not tried, and not promised
if a condition ceases to hold there."""

UNIT = 2.0**-24
"""The smallest noise floor, in units of the largest value: half a unit in the last place of 1."""

OTHER = (FACTOR + 1) * CEILING
"""The smallest difference from float32, as a fraction of the output's range, that no accepted rounding explains."""


class TrialSizes:
    """Comparisons of a graph with its source at single sizes."""

    def __init__(self, source: Source, model: onnx.ModelProto) -> None:
        self.source, self._model = source, model

    def affordable(self, shapes: Shapes) -> bool:
        """Return whether a run of the source on inputs of these shapes takes no longer than `AFFORDABLE_S`."""
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
            return self._close(shapes) or self._equal(shapes)
        except ExportError:
            return False

    def difference(self) -> str | None:
        """Return in words that the graph computes another function for the example; `None` if that is not certain.

        It is certain if onnxruntime cannot run a likely input, or makes another shape or an output that is off by more than
        `OTHER` of its range.
        """
        try:
            return self._difference() if accepts(self._model, self.source.shapes) else None
        except ExportError as error:
            return str(error)

    def _difference(self) -> str | None:
        for inputs in inputs_of(self.source, [self.source.shapes])[0]:
            expected = accepted(self._source, inputs)
            if expected is None or not all(np.isfinite(x).all() for x in expected):
                continue
            got = self._graph.run(inputs)
            verdict = compare_outputs([expected], [[expected]], [got], self._graph, [inputs])
            units = (
                (FACTOR + 1) * FLAT * verdict.noise_floor
            )  # of float32, since its own output takes the place of the exact one
            if verdict.problem is not None or verdict.max_abs > max(OTHER * verdict.span, units):
                return verdict.problem or f"for an input of {inputs[0].shape} the output is off by {verdict.max_abs:.2g}"
        return None

    @cached_property
    def _source(self) -> Backend:
        return self.source.original.backend("float32")

    @cached_property
    def _graph(self) -> Backend:
        return OnnxruntimeBackend(self._model)

    @cached_property
    def _seconds(self) -> float:
        """The processor time of a run on the example."""
        started = time.thread_time()
        self._source.run(self.source.example)
        return time.thread_time() - started

    @cached_property
    def _floors(self) -> list[list[float]]:
        """The noise floor of each output for the example's size: of likely inputs, and of unlikely ones."""
        reference = ReferenceOutputs(self.source, (), [self.source.shapes])
        return [_floors_of(trial) for trial in (reference.likely, reference.unlikely)]

    def _close(self, shapes: Shapes) -> bool:
        """Return whether the graph is off from float32 by no more than noise floors explain."""
        for kind, cases in enumerate(inputs_of(self.source, [shapes])):
            for inputs in cases:
                expected = accepted(self._source, inputs)
                got = None if expected is None else self._graph.run(inputs)
                if expected is None or got is None or problem(expected, got, inputs) is not None:
                    return False
                apart = _distances(expected, got)
                if max(apart) > (FACTOR - 1) * UNIT and any(
                    d > (FACTOR - 1) * floor for d, floor in zip(apart, self._floors[kind], strict=False)
                ):
                    return False
        return True

    def _equal(self, shapes: Shapes) -> bool:
        """Return whether the verdict on the graph is that of the same function."""
        reference = ReferenceOutputs(self.source, (), [shapes])
        if not reference.inputs:
            return False
        self.__dict__.pop("_graph", None)  # the verdict opens a session of its own, and two take the memory twice
        verdict = reference.judge(self._model)
        return verdict.equal or (verdict.problem is None and verdict.same_function)


def _floors_of(trial: TrialOutputs) -> list[float]:
    """Return the noise floor of each output, in units of its largest value."""
    rows = [_distances(exact, rounded) for exact, rounded in zip(trial.exact, trial.rounded, strict=True)]
    return [max(UNIT, *column) for column in zip(*rows, strict=True)]


def _distances(expected: Outputs, got: Outputs) -> list[float]:
    """Return the largest difference of each output, in units of its largest value."""
    return [error(x, y) / (float(np.abs(x).max(initial=0.0)) or 1.0) for x, y in zip(expected, got, strict=True)]


def _elements(shapes: Shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)
