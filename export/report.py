"""The report of an export, and the artifact that it produces."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx

from upconv.export.fusion import Fusion
from upconv.export.lint import Finding
from upconv.export.storage import save
from upconv.runtime.contract import Contract
from upconv.runtime.errors import OutputError


@dataclass(frozen=True)
class StageReport:
    """The report of one step of an export."""

    name: str
    seconds: float = field(default=0.0, kw_only=True)
    """Duration in seconds. The runner fills it in."""
    changed: bool
    summary: str
    equality: str = ""
    """The verdict on the result, if the step measured it."""


@dataclass(frozen=True)
class Artifact:
    """A model that is proved equal to its source, with the report of its export."""

    model: onnx.ModelProto = field(repr=False)
    """The model, with its contract in its metadata."""
    contract: Contract
    stages: tuple[StageReport, ...]
    operators: dict[str, int]
    """The number of operators of each type."""
    fusion: Fusion
    """The operators that onnxruntime fuses."""
    findings: tuple[Finding, ...]
    """The findings of the lint."""
    saved_to: Path | None = None
    """Path of the written file, or `None` if it is not written yet."""

    @property
    def path(self) -> Path:
        """The path of the written file; raises `OutputError` if it is not written yet."""
        if self.saved_to is None:
            raise OutputError(f"{self.contract.name} has not been written yet; save it first")
        return self.saved_to

    def save(self, path: Path) -> Artifact:
        """Write the model, whole or not at all; raises `OutputError` if it cannot be written."""
        save(self.model, path)
        return replace(self, saved_to=path)

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report for JSON."""
        return {
            "version": 1,
            "path": self.saved_to and str(self.saved_to),
            "stages": [asdict(stage) for stage in self.stages],
            "operators": self.operators,
            "fusion": asdict(self.fusion),
            "findings": [asdict(finding) for finding in self.findings],
            "contract": self.contract.model_dump(mode="json"),
        }

    @property
    def summary(self) -> str:
        """One line: the changes, and how equal the result is."""
        served = next(p for p in self.contract.evidence.parity if p.level == "all")
        changed = ", ".join(s.name for s in self.stages if s.changed)
        return (
            f"{self.saved_to or 'not written'}: {self.contract.name}, {sum(self.operators.values())} nodes after {changed}; "
            f"largest error {served.max_abs:.2g}, {served.max_abs / served.noise_floor:.2g} of the noise floor ({served.factor:g} allowed)"
        )
