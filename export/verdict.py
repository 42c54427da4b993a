"""The verdict on a backend, with the noise floor as tolerance.

Let y be the output of the module in float64. The noise floor is the error of torch's float32 output against y. A backend
passes if its error over the same inputs is at most `FACTOR` noise floors. A function that only copies has no error. Its
noise floor is one unit in the last place of its largest output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Largest absolute error of torch in float32."""
    factor: float
    """Largest error that passes, in noise floors."""
    problem: str | None = None
    """The reason why the outputs cannot be judged by their error; `None` if they can."""

    @property
    def equal(self) -> bool:
        """True if the backend computes the same function."""
        return self.problem is None and self.max_abs <= self.factor * self.noise_floor

    def __str__(self) -> str:
        if self.problem is not None:
            return self.problem
        relation = "<=" if self.equal else ">"
        return f"error {self.max_abs:.2g} {relation} {self.factor:g} x noise floor {self.noise_floor:.2g} on {len(self.shapes)} sizes"


def judge(
    exact: list[Outputs], rounded: list[Outputs], backend: Backend, inputs: Sequence[Inputs], factor: float = FACTOR
) -> Verdict:
    """Run `backend` on `inputs` and compare it with `exact` (float64) and `rounded` (float32).

    Both are outputs of the original. Each output has its own noise floor. The worst output decides the verdict.
    """
    got: list[Outputs] = []
    for expected, arrays in zip(exact, inputs, strict=True):
        got.append(backend.run(arrays))
        if problem(expected, got[-1], arrays) is not None:
            break
    return compare_outputs(exact, rounded, got, backend, inputs, factor)


def compare_outputs(
    exact: list[Outputs],
    rounded: list[Outputs],
    got: list[Outputs],
    backend: Backend,
    inputs: Sequence[Inputs],
    factor: float = FACTOR,
) -> Verdict:
    """Return the verdict on outputs that `backend` has already computed.

    `got` may end at the first outputs that cannot be compared.
    """
    tried = tuple(dict.fromkeys(tuple(x[0].shape) for x in inputs))
    for expected, outputs, arrays in zip(exact, got, inputs, strict=False):
        wrong = problem(expected, outputs, arrays)
        if wrong is not None:
            return Verdict(backend.name, backend.version, backend.level, tried, float("inf"), 0.0, factor, wrong)
    verdicts = []
    for e, r, g in zip(*(zip(*outputs, strict=True) for outputs in (exact, rounded, got)), strict=True):
        floor, distorted = _noise(e, r)
        worst = max(error(expected, output) for expected, output in zip(e, g, strict=True))
        worst = float("inf") if distorted else worst
        verdicts.append(Verdict(backend.name, backend.version, backend.level, tried, worst, floor, factor, distorted))
    return max(verdicts, key=lambda v: v.max_abs / v.noise_floor)


def _noise(exact: Sequence[Array], rounded: Sequence[Array]) -> tuple[float, str | None]:
    """Return the noise floor of one output over all inputs, and a problem if it is too high to judge by."""
    floor = max(noise_floor(e, r) for e, r in zip(exact, rounded, strict=True))
    span = max(float(np.ptp(e)) if e.size else 0.0 for e in exact) or 1.0
    kind = rounded[0].dtype
    coarsest = max(CEILING, ROUNDINGS * float(np.finfo(kind).eps)) if kind.kind == "f" else CEILING
    if floor <= coarsest * span:
        return floor, None
    return floor, f"{kind} is too imprecise for this module: torch's own error is {floor:.2g} on outputs that span {span:.2g}"


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
