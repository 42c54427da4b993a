"""The verdict on a backend, with the noise floor as tolerance.

Let y be the output of the module in float64. The noise floor is the largest error against y of torch's float32 output and of
runs that round at random. A backend passes if its error over the same inputs is at most `FACTOR` noise floors. A function
that only copies has no error. Its noise floor is one unit in the last place of its largest output.

A backend with a larger error still passes if the graph that it runs is proved to be the same function in float64, and if its
error is at most `ACCURACY` of the output's range: it sums less carefully.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from upconv.export.backends import Array, Backend

Inputs = Sequence[Array]
"""The inputs of a model, in its order."""

Outputs = list[Array]
"""The outputs of a model, in its order."""

CEILING = 1e-3
"""Largest noise floor that is accepted, as a fraction of the output's range. Above it, float32 is too imprecise to judge by."""

ROUNDINGS = 8
"""The same limit in machine epsilons of the outputs. The larger limit applies: one epsilon of float16 is already 1e-3."""

FACTOR = 4.0
"""Largest error that passes, in noise floors. Another order of summation costs about two."""


FLAT = 2.0
"""The units in the last place of the largest value up to which a noise floor is as low as float32 can be. Outputs that are almost
constant have such a floor, and a range below it: the graph in float64 decides on them."""


ACCURACY = 1e-4
"""Largest error of a less accurate backend, as a fraction of the output's range: a fortieth of an 8-bit step."""


FEW = 64
"""The number of values of an output, over all inputs, from which on their range is that of the output."""


@dataclass(frozen=True)
class Verdict:
    """The comparison of one backend with the float64 reference, over all inputs."""

    backend: str
    version: str
    level: str
    shapes: tuple[tuple[int, ...], ...]
    """The shapes of the inputs that were tried; of the first input if the model has several."""
    max_abs: float
    """Largest absolute error against float64."""
    noise_floor: float
    """Largest absolute error that rounding to float32 explains."""
    factor: float
    """Largest error that passes, in noise floors."""
    problem: str | None = None
    """The reason why the outputs cannot be judged by their error; `None` if they can."""
    span: float = 0.0
    """The range of the exact output."""
    graph_error: float | None = None
    """Largest absolute error of the backend's graph in float64; `None` if it was not measured."""
    coarse: bool = False
    """True if the noise floor is too high to judge by. The graph in float64 decides then."""
    note: str = ""
    """What unlikely inputs showed, such as noise; empty if they showed nothing."""

    @property
    def equal(self) -> bool:
        """True if the backend computes the same function, and no difference can be seen."""
        return self.problem is None and (self.within_noise or self.less_accurate)

    @property
    def within_noise(self) -> bool:
        """True if rounding to float32 explains the error."""
        return (not self.coarse or self.same_function) and self.max_abs <= self.factor * self.noise_floor

    @property
    def same_function(self) -> bool:
        """True if the graph is proved to be the same function in float64."""
        if self.graph_error is None:
            return False
        allowed = self.factor * self.noise_floor
        return self.graph_error <= (min(allowed, CEILING * self.span) if self.coarse else allowed)

    @property
    def less_accurate(self) -> bool:
        """True if the backend sums the same function less accurately, by at most `ACCURACY` of the range."""
        return not self.within_noise and self.same_function and self.max_abs <= ACCURACY * self.span

    def __str__(self) -> str:
        if self.problem is not None:
            return self.problem
        said = f"error {self.max_abs:.2g} {'<=' if self.within_noise else '>'} {self.factor:g} x noise floor {self.noise_floor:.2g}"
        said += f" on {len(self.shapes)} sizes"
        if self.less_accurate:
            said += (
                f"; the same function, less accurate: {self.max_abs / self.span:.2g} of the range, {ACCURACY:.2g} is allowed"
            )
        return f"{said}; {self.note}" if self.note else said


def judge(exact: list[Outputs], rounded: list[Outputs], backend: Backend, inputs: Sequence[Inputs]) -> Verdict:
    """Run `backend` on `inputs` and compare it with `exact` (float64) and `rounded` (float32).

    Both are outputs of the original. Each output has its own noise floor. The worst output decides the verdict.
    """
    return compare_outputs(exact, [rounded], outputs_of(backend, exact, inputs), backend, inputs)


def outputs_of(backend: Backend, exact: list[Outputs], inputs: Sequence[Inputs]) -> list[Outputs]:
    """Return the outputs of `backend`, up to the first that cannot be compared with `exact`."""
    got: list[Outputs] = []
    for expected, arrays in zip(exact, inputs, strict=True):
        got.append(backend.run(arrays))
        if problem(expected, got[-1], arrays) is not None:
            break
    return got


def compare_outputs(
    exact: list[Outputs],
    rounded: Sequence[list[Outputs]],
    got: list[Outputs],
    backend: Backend,
    inputs: Sequence[Inputs],
    factor: float = FACTOR,
    graph: list[Outputs] | None = None,
    coarse: bool = False,
) -> Verdict:
    """Return the verdict on outputs that `backend` has already computed.

    `rounded` holds the outputs of each run of the original that rounds. `got` may end at the first outputs that cannot be
    compared. `graph` are the outputs of the backend's graph in float64. With `coarse`, a noise floor that is too high to judge
    by leaves the decision to them. Without it, it is a problem, unless the output is almost constant (`FLAT`).
    """
    tried = tuple(dict.fromkeys(tuple(x[0].shape) for x in inputs))
    for expected, outputs, arrays in zip(exact, got, inputs, strict=True):
        wrong = problem(expected, outputs, arrays)
        if wrong is not None:
            return Verdict(backend.name, backend.version, backend.level, tried, math.inf, 0.0, factor, wrong)
    verdicts = []
    for number in range(len(exact[0])):
        e, g, *r = ([outputs[number] for outputs in each] for each in (exact, got, *rounded))
        floor, span = max(noise_floor(x, y) for run in r for x, y in zip(e, run, strict=True)), _span(e)
        distorted = _distorted(floor, span, r[0][0].dtype)
        proved = None if graph is None else _worst(e, [outputs[number] for outputs in graph])
        verdict = Verdict(backend.name, backend.version, backend.level, tried, _worst(e, g), floor, factor, None, span, proved)
        flat = floor <= FLAT * max(float(np.spacing(np.float32(np.abs(x).max(initial=0.0)))) for x in e)
        if distorted and (coarse or flat):
            verdict = replace(verdict, coarse=True)
        elif distorted:
            verdict = replace(verdict, max_abs=math.inf, problem=distorted)
        verdicts.append(verdict)
    return max(verdicts, key=lambda v: (not v.equal, v.max_abs / v.noise_floor))


def _worst(exact: Sequence[Array], got: Sequence[Array]) -> float:
    return max(error(expected, output) for expected, output in zip(exact, got, strict=True))


def _span(exact: Sequence[Array]) -> float:
    """Return the range of an output. Few values say nothing about a range; the largest of them takes its place."""
    span = max(float(np.ptp(e)) if e.size else 0.0 for e in exact)
    if sum(e.size for e in exact) >= FEW:
        return span
    return max(span, *(float(np.abs(e).max(initial=0.0)) for e in exact))


def _distorted(floor: float, span: float, kind: np.dtype[Any]) -> str | None:
    """Return a problem if the noise floor of one output is too high to judge by."""
    span = span or 1.0
    coarsest = max(CEILING, ROUNDINGS * float(np.finfo(kind).eps)) if kind.kind == "f" else CEILING
    if floor <= coarsest * span:
        return None
    return f"{kind} is too imprecise for this module: rounding alone changes outputs that span {span:.2g} by {floor:.2g}"


def problem(expected: Outputs, got: Outputs, inputs: Inputs) -> str | None:
    """Return why outputs cannot be compared, or `None` if they can.

    Their number, their shapes and non-finite values are checked.
    """
    given = " and ".join(str(array.shape) for array in inputs)
    if len(got) != len(expected):
        return f"there are {len(got)} outputs, expected {len(expected)}"
    for reference, output in zip(expected, got, strict=True):
        if output.shape != reference.shape:
            return f"for an input of {given} the output has shape {output.shape}, expected {reference.shape}"
        if not np.isfinite(output).all():
            return f"for an input of {given} the output contains values that are not finite"
    return None


def noise_floor(exact: Array, rounded: Array) -> float:
    """Return the error of float32, or one unit in the last place of the largest value if that is larger."""
    return max(error(exact, rounded), float(np.spacing(np.float32(np.abs(exact).max(initial=0.0)))))


def error(exact: Array, got: Array) -> float:
    """Return the largest absolute difference, computed in float64."""
    return float(np.abs(exact - got.astype(np.float64)).max(initial=0.0))
