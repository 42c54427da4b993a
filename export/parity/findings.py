"""The result of a comparison: one row per backend, and the first node that differs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from upconv.export.backends import Array
from upconv.export.html_table import rows_table
from upconv.export.parity.bisection import FirstDifference
from upconv.export.parity.measures import Measures
from upconv.export.parity.run_record import RunRecord

JSON_VERSION = 1
"""Version of the fields of `Comparison.as_dict`. It rises if a field is renamed, removed or changes its meaning."""


@dataclass(frozen=True)
class BackendResult:
    """The result of one backend."""

    name: str
    status: Literal["equal", "different", "missing"]
    said: str
    """The verdict in words, or the reason why there is none."""
    backend: str = ""
    version: str = ""
    level: str = "-"
    precision: str = "float32"
    """The precision that the backend computes in."""
    measures: Measures | None = None
    """`None` if the outputs could not be compared."""
    noise_floor: float | None = None
    """The error of the original in float32; `None` if the PSNR decides."""
    worst: str | None = None
    """The input with the largest error."""
    sample: Array | None = field(default=None, repr=False, compare=False)
    """The first output for the photograph."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison."""

    a: str
    b: str | None
    factor: float
    min_psnr_db: float
    inputs: tuple[str, ...]
    rows: tuple[BackendResult, ...]
    first_difference: FirstDifference | None
    notes: tuple[str, ...] = ()
    """Remarks, such as sizes that were left out and why."""
    sample: Array | None = field(default=None, repr=False, compare=False)
    """A's first output for the photograph, in float64."""
    run: RunRecord | None = None
    """The circumstances, for reports."""

    @property
    def title(self) -> str:
        """The names of what was compared."""
        return self.a if self.b is None else f"{self.a} and {self.b}"

    @property
    def explained(self) -> tuple[str, ...]:
        """The first difference and the notes, one line each."""
        found = () if self.first_difference is None else (f"first difference: {self.first_difference}",)
        return (*found, *self.notes)

    @property
    def equal(self) -> bool:
        """True if every available backend computes the function of A."""
        return all(row.status != "different" for row in self.rows)

    def _repr_html_(self) -> str:
        """Return the table that Jupyter shows."""
        caption = f"{self.title}: {'equal' if self.equal else 'not equal'}, on {len(self.inputs)} inputs"
        return rows_table(caption, _HEAD, [_cells(row) for row in self.rows], self.explained)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in types that JSON has. `JSON_VERSION` is the version of its fields."""
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
            "run": self.run and self.run.as_dict(),
        }


_HEAD = ("backend", "version", "precision", "max abs", "PSNR", "verdict")


def _cells(row: BackendResult) -> tuple[str, ...]:
    found = row.measures
    precision = "" if row.status == "missing" else row.precision
    if found is None:
        return row.name, row.version, precision, "", "", f"{row.status}: {row.said}"
    psnr = "no difference" if found.psnr_db is None else f"{found.psnr_db:.1f} dB"
    return row.name, row.version, precision, f"{found.max_abs:.2g}", psnr, f"{row.status}: {row.said}"


def _row_dict(row: BackendResult) -> dict[str, Any]:
    fields = {
        f: getattr(row, f)
        for f in ("name", "status", "said", "backend", "version", "level", "precision", "noise_floor", "worst")
    }
    measures = asdict(row.measures) if row.measures else dict.fromkeys(Measures.__dataclass_fields__)
    return {**fields, **measures}
