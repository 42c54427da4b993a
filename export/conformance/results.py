"""The results of the grid, and their summary by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from upconv.export.conformance.cases import GridCase

Status = Literal["equal", "as float32", "differs", "unsupported", "refused"]
"""`as float32`: torch takes different pixels in float32 and float64, and the runtime takes those of float32, bit for bit.
`unsupported`: the runtime cannot run the graph. `refused`: the export wrote no graph."""


@dataclass(frozen=True)
class CaseResult:
    """The result of one case in one runtime."""

    case: GridCase
    runtime: str
    status: Status
    floors: float = 0.0
    """Largest error against float64, in noise floors; infinite if outputs cannot be compared."""
    reason: str = ""
    """The problem; empty if the case is equal."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in types that JSON has."""
        return {**asdict(self), "case": str(self.case), "layer": self.case.layer, "variant": self.case.variant}


@dataclass(frozen=True)
class LayerSummary:
    """The cases of one layer and variant, in every backend."""

    layer: str
    variant: str
    dtype: str
    cases: int
    equal: dict[str, int]
    """Number of equal cases, by runtime."""
    floors: dict[str, float]
    """Largest error of the equal cases, in noise floors, by runtime."""


def summarise(results: Sequence[CaseResult]) -> list[LayerSummary]:
    """Return a row for each layer, variant and precision, in the order of the results."""
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
