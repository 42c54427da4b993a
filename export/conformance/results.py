"""The results of the grid, and their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from upconv.export.conformance.cases import GridCase

Status = Literal["equal", "as float32", "differs", "unsupported", "refused"]
"""The possible results. `as float32`: torch's float32 and float64 select different pixels, and the backend selects those of
float32, bit for bit. `unsupported`: the backend cannot run the graph. `refused`: no graph was written.
"""


@dataclass(frozen=True)
class CaseResult:
    """One case in one backend."""

    case: GridCase
    runtime: str
    status: Status
    floors: float = 0.0
    """Largest error against float64, in noise floors, or infinity if the outputs cannot be compared."""
    reason: str = ""
    """The reason why the case is not equal."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {**asdict(self), "case": str(self.case), "layer": self.case.layer, "variant": self.case.variant}


@dataclass(frozen=True)
class LayerSummary:
    """The cases of one layer and variant, in every backend."""

    layer: str
    variant: str
    dtype: str
    cases: int
    equal: dict[str, int]
    """The number of equal cases, by backend."""
    floors: dict[str, float]
    """The largest error of the equal cases, in noise floors, by backend."""


def summarise(results: Sequence[CaseResult]) -> list[LayerSummary]:
    """Return one summary per layer, variant and precision, in the grid's order."""
    keys = dict.fromkeys((r.case.layer, r.case.variant, r.case.dtype) for r in results)
    return [_row(key, [r for r in results if (r.case.layer, r.case.variant, r.case.dtype) == key]) for key in keys]


def _row(key: tuple[str, str, str], results: list[CaseResult]) -> LayerSummary:
    passed = [result for result in results if result.status == "equal"]
    return LayerSummary(
        *key,
        cases=len({result.case for result in results}),
        equal=dict(Counter(result.runtime for result in passed)),
        floors={r.runtime: max(o.floors for o in passed if o.runtime == r.runtime) for r in passed},
    )
