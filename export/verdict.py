"""The verdict on a backend by a noise floor, in place of a guessed tolerance.

Let y be the module's output in float64. The noise floor is the error of torch's own float32 output against y, which no
float32 runtime can be expected to improve on. A backend passes if its error is at most `FACTOR` noise floors on the same
inputs. A function that only copies has no error; its floor is one unit in the last place of its largest output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upconv.export.backends import Array, Backend

Inputs = Sequence[Array]
Outputs = list[Array]
"""The inputs or outputs of a model, in the model's order."""

CEILING = 1e-3
"""Largest noise floor, per unit of the output's range. A module that float32 distorts more cannot be judged in float32."""

ROUNDINGS = 8
"""The same limit in roundings of the outputs' precision, if that is more. One rounding of float16 is about 1e-3."""

FACTOR = 4.0
"""The number of noise floors that an error may reach. Another order of summation costs about two."""


@dataclass(frozen=True)
class Verdict:
    """The comparison of one backend with the float64 reference, over all inputs. The worst output decides."""

    backend: str
    version: str
    level: str
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tried inputs; of the first input if there are several."""
    max_abs: float
    """Largest absolute error against float64."""
    noise_floor: float
    """Largest absolute error of torch in float32."""
    factor: float
    problem: str | None = None
    """The reason why outputs cannot be compared, or `None` if they can."""

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
    """Compare `backend` on `inputs` with `exact` (float64) and `rounded` (float32), the source model's own outputs.

    Each output is measured by its own noise floor. The verdict is that of the output that is farthest from passing.
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
    """Return the verdict on outputs that `backend` returned earlier. The list may end at an output that cannot be compared."""
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
    """Return the noise floor of one output over all inputs, and the problem if the floor is too high, or `None`."""
    floor = max(noise_floor(e, r) for e, r in zip(exact, rounded, strict=True))
    span = max(float(np.ptp(e)) if e.size else 0.0 for e in exact) or 1.0
    kind = rounded[0].dtype
    coarsest = max(CEILING, ROUNDINGS * float(np.finfo(kind).eps)) if kind.kind == "f" else CEILING
    if floor <= coarsest * span:
        return floor, None
    return floor, f"{kind} is not enough for this module: torch's own error is {floor:.2g} on outputs that span {span:.2g}"


def problem(expected: Outputs, got: Outputs, inputs: Inputs) -> str | None:
    """Return why outputs cannot be compared (number, shape, values that are not finite), or `None` if they can."""
    given = " and ".join(str(array.shape) for array in inputs)
    if len(got) != len(expected):
        return f"there are {len(got)} outputs, expected {len(expected)}"
    for wanted, output in zip(expected, got, strict=True):
        if output.shape != wanted.shape:
            return f"for an input of {given} the output has shape {output.shape}, expected {wanted.shape}"
        if not np.isfinite(output).all():
            return f"for an input of {given} the output holds values that are no numbers"
    return None


def noise_floor(exact: Array, rounded: Array) -> float:
    """Return the error of float32, at least one unit in the last place of the largest value."""
    return max(error(exact, rounded), float(np.spacing(np.float32(np.abs(exact).max(initial=0.0)))))


def error(exact: Array, got: Array) -> float:
    """Return the largest absolute difference."""
    return float(np.abs(exact - got.astype(np.float64)).max(initial=0.0))
