"""What a comparison found: a row for each runtime, and the first node at fault."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from upconv.export.backends import Array
from upconv.export.parity.bisection import FirstDifference
from upconv.export.parity.measures import Measures

JSON_VERSION = 1
"""Of the fields of `Comparison.as_dict`; it rises when one of them is renamed, removed or given another meaning."""


@dataclass(frozen=True)
class BackendResult:
    """What was found in one runtime."""

    name: str
    status: Literal["equal", "different", "missing"]
    said: str
    """The verdict in words, or why there is none."""
    backend: str = ""
    version: str = ""
    level: str = "-"
    precision: str = "float32"
    """What it computes in."""
    measures: Measures | None = None
    """None where nothing could be measured."""
    noise_floor: float | None = None
    """What float32 costs the original; none where decibels decide."""
    worst: str | None = None
    """The input with the largest error."""
    sample: Array | None = field(default=None, repr=False, compare=False)
    """The first output for the photograph."""


@dataclass(frozen=True)
class Comparison:
    """The whole of what was found."""

    a: str
    b: str | None
    factor: float
    min_psnr_db: float
    inputs: tuple[str, ...]
    rows: tuple[BackendResult, ...]
    first_difference: FirstDifference | None
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    sample: Array | None = field(default=None, repr=False, compare=False)
    """A's first output for the photograph, in float64."""

    @property
    def equal(self) -> bool:
        """Whether every runtime that is present computes A's function."""
        return all(row.status != "different" for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON; `JSON_VERSION` says which fields there are."""
        return {
            "version": JSON_VERSION,
            "a": self.a,
            "b": self.b,
            "equal": self.equal,
            "factor": self.factor,
            "min_psnr_db": self.min_psnr_db,
            "inputs": list(self.inputs),
            "backends": [_row_dict(row) for row in self.rows],
            "first_difference": self.first_difference and self.first_difference.as_dict(),
            "notes": list(self.notes),
        }


def _row_dict(row: BackendResult) -> dict[str, Any]:
    fields = {
        f: getattr(row, f)
        for f in ("name", "status", "said", "backend", "version", "level", "precision", "noise_floor", "worst")
    }
    measures = asdict(row.measures) if row.measures else dict.fromkeys(Measures.__dataclass_fields__)
    return {**fields, **measures}
