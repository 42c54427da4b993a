"""The outputs of the source model, which every graph is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import onnx

from upconv.export.backends import Array, Backend, OnnxruntimeBackend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.distributions import likely_inputs, unlikely_inputs
from upconv.export.graphs import accepts
from upconv.export.sizes import InputAxis, Shapes, trial_shapes
from upconv.export.sources import Source
from upconv.export.verdict import FACTOR, Outputs, Verdict, compare_outputs, error, outputs_of
from upconv.runtime.errors import ExportError, SourceError, first_line

DRAWS = 8
"""The largest number of runs that round at random. They stop at the first that explains a difference."""

HOPELESS = 4.0
"""The error, in allowed errors, above which two runs are enough, since further ones scatter by less."""

PROVED = 1e-3
"""Largest error, as a fraction of the range, for which the graph is computed in float64. Above it, it is another function."""


class TrialOutputs:
    """Inputs, and the outputs of the source model for them in float64 and float32."""

    def __init__(
        self,
        original: Callable[[int], Backend],
        inputs: Sequence[list[Array]],
        exact: list[Outputs],
        rounded: list[Outputs],
    ) -> None:
        """Take the outputs; `original` opens the source model in float64 with random rounding, by a seed."""
        self.inputs, self.exact, self.rounded = inputs, exact, rounded
        self._original = original
        self._runs = [rounded]

    def judge(self, model: onnx.ModelProto, level: str, *, coarse: bool = False) -> Verdict:
        """Return the verdict on a graph.

        If the first noise floor does not explain its error, more runs of the source that round at random estimate it, and
        the graph itself is computed in float64.
        """
        backend = OnnxruntimeBackend(model, level)
        got = outputs_of(backend, self.exact, self.inputs)

        judged = self.judge_outputs(backend, got, coarse=coarse)
        if judged.equal or judged.problem is not None or (judged.max_abs > PROVED * judged.span and not judged.coarse):
            return judged
        graph = self._in_double(model, got, judged)
        if graph is None:
            return judged
        return compare_outputs(self.exact, self._runs, got, backend, self.inputs, graph=graph, coarse=coarse)

    def judge_outputs(self, backend: Backend, got: list[Outputs], factor: float = FACTOR, *, coarse: bool = False) -> Verdict:
        """Return the verdict on outputs, with as many runs that round at random as it takes to explain their error."""
        judged = compare_outputs(self.exact, self._rounded(1), got, backend, self.inputs, factor, coarse=coarse)
        for runs in range(2, DRAWS + 2):
            if judged.equal or judged.problem is not None or judged.coarse:
                break
            if runs > 3 and judged.max_abs > HOPELESS * judged.factor * judged.noise_floor:
                break
            judged = compare_outputs(self.exact, self._rounded(runs), got, backend, self.inputs, factor, coarse=coarse)
        return judged

    def _in_double(self, model: onnx.ModelProto, got: list[Outputs], judged: Verdict) -> list[Outputs] | None:
        """Return the outputs of a graph in float64.

        Returns `None` if onnx's reference evaluator cannot run it, or if it differs where its float32 form differs most.
        """
        worst = max(range(len(got)), key=lambda n: _distance(self.exact[n], got[n]))
        try:
            backend = ReferenceBackend(model)
            first = backend.run(self.inputs[worst])
            if any(x.shape != y.shape for x, y in zip(self.exact[worst], first, strict=True)):
                return None
            if not replace(judged, graph_error=_distance(self.exact[worst], first)).same_function:
                return None
            return [first if n == worst else backend.run(x) for n, x in enumerate(self.inputs)]
        except ExportError:
            return None

    def _rounded(self, count: int) -> list[list[Outputs]]:
        """Return `count` runs that round: in float32, and at random."""
        while len(self._runs) < count:
            backend = self._original(len(self._runs))
            run = [_finite(backend, x) or y for x, y in zip(self.inputs, self.rounded, strict=True)]
            self._runs.append(run)
        return self._runs[:count]


class ReferenceOutputs:
    """Inputs of several sizes, and the outputs of the source model for them.

    Likely inputs, such as photographs, decide the verdict. Unlikely ones, such as noise, must give the same function in
    float64; if float32 is too imprecise for them, the verdict says so.

    Raises `ExportError` if the source model cannot run in float64, if an output is not finite, or if an output's size
    breaks the size law.
    """

    def __init__(self, source: Source, axes: Sequence[InputAxis], shapes: Sequence[Shapes]) -> None:
        rounded = source.original.backend("float32")
        exact = source.original.backend("float64")
        likely, unlikely = ([(x, accepted(rounded, x)) for x in made] for made in inputs_of(source, shapes))
        self.likely = _trial(source, exact, likely)
        if not all(np.isfinite(y).all() for outputs in self.exact for y in outputs):
            raise ExportError(f"{source.name} outputs values that are not finite numbers, so there is nothing to export")
        for axis in axes:
            for x, y in zip(self.inputs, self.exact, strict=True):
                shape = x[axis.inputs[0]].shape
                if axis.law is not None and axis.law.output(shape[axis.index]) != axis.made(tuple(out.shape for out in y)):
                    raise ExportError(f"{source.name} turns {shape} into {y[0].shape}, which breaks its size law: {axis.law}")
        found = _trial(source, exact, unlikely)
        self.unlikely = _finite_only(source, found)

    @classmethod
    def of(cls, source: Source, axes: Sequence[InputAxis], model: onnx.ModelProto, max_batch: int | None = None) -> Self:
        """Return the outputs for the trial shapes that the graph accepts."""
        shapes = trial_shapes(source.shapes, axes, max_batch)
        return cls(source, axes, [each for each in shapes if accepts(model, each)])

    @property
    def inputs(self) -> Sequence[list[Array]]:
        """The likely inputs."""
        return self.likely.inputs

    @property
    def exact(self) -> list[Outputs]:
        """The outputs for the likely inputs in float64."""
        return self.likely.exact

    @property
    def rounded(self) -> list[Outputs]:
        """The outputs for the likely inputs in float32."""
        return self.likely.rounded

    def judge(self, model: onnx.ModelProto, level: str = "all") -> Verdict:
        """Return the verdict on a graph that onnxruntime runs at an optimisation level."""
        likely = self.likely.judge(model, level)
        if not likely.equal or not self.unlikely.inputs:
            return likely
        unlikely = self.unlikely.judge(model, level, coarse=True)
        if unlikely.within_noise and unlikely.problem is None:
            return likely
        if not unlikely.same_function:
            return unlikely
        ratio = unlikely.max_abs / unlikely.noise_floor
        note = f"on noise, the error is {unlikely.max_abs:.2g} ({ratio:.2g} noise floors), though the graph is exact in float64"
        return replace(likely, note=note)


def inputs_of(source: Source, shapes: Sequence[Shapes]) -> list[list[list[Array]]]:
    """Return the likely inputs of these shapes, and the unlikely ones."""
    if not shapes:
        return [[], []]
    made = (draw(source.example, shapes, source.pixels) for draw in (likely_inputs, unlikely_inputs))
    return [[list(case.arrays) for case in cases] for cases in made]


def _trial(source: Source, exact: Backend, tried: Sequence[tuple[list[Array], Outputs | None]]) -> TrialOutputs:
    kept = [(x, y) for x, y in tried if y is not None]
    try:
        return TrialOutputs(
            source.original.rounded, [x for x, _ in kept], [exact.run(x) for x, _ in kept], [y for _, y in kept]
        )
    except RuntimeError as error:
        raise ExportError(
            f"{source.name} cannot run in float64, which every graph is compared with: {first_line(error)}"
        ) from error


def _finite_only(source: Source, trial: TrialOutputs) -> TrialOutputs:
    """Return the trial without inputs on which the source overflows."""
    cases = zip(trial.inputs, trial.exact, trial.rounded, strict=True)
    kept = [case for case in cases if all(np.isfinite(y).all() for outputs in case[1:] for y in outputs)]
    inputs, exact, rounded = ([case[part] for case in kept] for part in range(3))
    return TrialOutputs(source.original.rounded, inputs, exact, rounded)


def _finite(backend: Backend, inputs: list[Array]) -> Outputs | None:
    """Return the outputs, or `None` if one is not finite or has lost its shape by rounding."""
    outputs = backend.run(inputs)
    return outputs if all(np.isfinite(y).all() for y in outputs) else None


def _distance(exact: Outputs, got: Outputs) -> float:
    return max(error(x, y) for x, y in zip(exact, got, strict=True))


def output_shapes(backend: Backend, source: Source, shapes: Shapes) -> Shapes | None:
    """Return the output shapes for inputs of these shapes.

    Returns `None` if the source model refuses the inputs, or if an output is empty.
    """
    outputs = accepted(backend, [np.resize(x, shape) for x, shape in zip(source.example, shapes, strict=True)])
    return None if outputs is None or any(y.size == 0 for y in outputs) else tuple(tuple(y.shape) for y in outputs)


def accepted(backend: Backend, inputs: Sequence[Array]) -> Outputs | None:
    """Return the outputs of the source model, or `None` if it refuses the inputs."""
    try:
        return backend.run(inputs)
    except SourceError:
        raise
    except Exception:  # a model may raise anything for a size that it does not accept
        return None
