"""What an export tells about itself."""

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
    """What one step of an export did."""

    name: str
    seconds: float = field(default=0.0, kw_only=True)
    """Time that it took; the runner fills it in."""
    changed: bool
    summary: str
    equality: str = ""
    """How equal the result is to the original, where that was measured."""


@dataclass(frozen=True)
class Artifact:
    """A model that was proved equal to its source, and how it came about."""

    model: onnx.ModelProto = field(repr=False)
    """With its contract in its metadata."""
    contract: Contract
    stages: tuple[StageReport, ...]
    operators: dict[str, int]
    """Operators of the graph, by type."""
    fusion: Fusion
    """What onnxruntime makes of the graph."""
    findings: tuple[Finding, ...]
    """What deserves a look."""
    saved_to: Path | None = None
    """Where it was written, if it was."""

    @property
    def path(self) -> Path:
        """Where it was written; raises `OutputError` where it was not."""
        if self.saved_to is None:
            raise OutputError(f"{self.contract.name} has not been written yet; save it first")
        return self.saved_to

    def save(self, path: Path) -> Artifact:
        """Write the model, whole or not at all; raises `OutputError` where it cannot be written."""
        save(self.model, path)
        return replace(self, saved_to=path)

    def as_dict(self) -> dict[str, Any]:
        """The whole report, for JSON."""
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
        """One line: what was done, and how equal the result is."""
        served = next(p for p in self.contract.evidence.parity if p.level == "all")
        changed = ", ".join(s.name for s in self.stages if s.changed)
        return (
            f"{self.saved_to or 'not written'}: {self.contract.name}, {sum(self.operators.values())} nodes after {changed}; "
            f"largest error {served.max_abs:.2g}, {served.max_abs / served.noise_floor:.2g} of the noise floor ({served.factor:g} allowed)"
        )
