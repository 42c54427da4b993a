"""A noise floor in place of a guessed tolerance.

Let y be the module's output in float64. torch's own float32 output differs from y by an error that no float32 runtime
can be asked to undercut: the noise floor. Another runtime passes where its error is at most `FACTOR` noise floors, over
the same inputs. A function that only copies has no error at all; the floor is then one unit in the last place of its
largest output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from upconv.export.parity.backends import Array, Backend

CEILING = 1e-3
"""Largest noise floor, per unit of the output's range: a module that float32 itself distorts more cannot be judged by it."""

FACTOR = 4.0
"""Noise floors that a runtime's error may come to: another order of summation costs about two."""


@dataclass(frozen=True)
class Verdict:
    """How equal one backend is to the reference, over all inputs."""

    backend: str
    version: str
    level: str
    shapes: tuple[tuple[int, ...], ...]
    """Of the inputs that were tried."""
    max_abs: float
    """Largest error against float64."""
    noise_floor: float
    """The largest error of torch in float32."""
    factor: float
    problem: str | None = None
    """What is wrong, where it is not a matter of size."""

    @property
    def equal(self) -> bool:
        """Whether the backend computes the same function."""
        return self.problem is None and self.max_abs <= self.factor * self.noise_floor

    def __str__(self) -> str:
        if self.problem is not None:
            return self.problem
        relation = "<=" if self.equal else ">"
        return f"error {self.max_abs:.2g} {relation} {self.factor:g} x noise floor {self.noise_floor:.2g} on {len(self.shapes)} sizes"


def judge(exact: list[Array], rounded: list[Array], backend: Backend, inputs: list[Array], factor: float = FACTOR) -> Verdict:
    """Compare `backend` on `inputs` with `exact` (float64) and `rounded` (float32), the module's own outputs."""
    shapes = tuple(tuple(x.shape) for x in inputs)
    floor = max(_floor(e, r) for e, r in zip(exact, rounded, strict=True))
    worst = 0.0
    span = max(float(np.ptp(e)) for e in exact) or 1.0
    if floor > CEILING * span:
        distorted = f"float32 is not enough for this module: torch's own error is {floor:.2g} on outputs that span {span:.2g}"
        return Verdict(backend.name, backend.version, backend.level, shapes, float("inf"), floor, factor, distorted)
    for expected, array in zip(exact, inputs, strict=True):
        got = backend.run(array)
        problem = _problem(expected, got, array)
        if problem is not None:
            return Verdict(backend.name, backend.version, backend.level, shapes, float("inf"), floor, factor, problem)
        worst = max(worst, _error(expected, got))
    return Verdict(backend.name, backend.version, backend.level, shapes, worst, floor, factor)


def _problem(expected: Array, got: Array, array: Array) -> str | None:
    if got.shape != expected.shape:
        return f"for an input of {array.shape} the output has shape {got.shape}, expected {expected.shape}"
    if not np.isfinite(got).all():
        return f"for an input of {array.shape} the output holds values that are no numbers"
    return None


def _floor(exact: Array, rounded: Array) -> float:
    return max(_error(exact, rounded), float(np.spacing(np.float32(np.abs(exact).max(initial=0.0)))))


def _error(exact: Array, got: Array) -> float:
    return float(np.abs(exact - got.astype(np.float64)).max(initial=0.0))
