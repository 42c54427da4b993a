"""What an export tells about itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upconv.export.fusion import Fusion
from upconv.export.lint import Finding
from upconv.runtime.contract import Contract


@dataclass(frozen=True)
class StageReport:
    """What one step of an export did."""

    name: str
    seconds: float
    changed: bool
    summary: str
    equality: str = ""
    """How equal the result is to the original, where that was measured."""


@dataclass(frozen=True)
class Artifact:
    """A file that was written, and how it came about."""

    path: Path
    contract: Contract
    stages: tuple[StageReport, ...]
    operators: dict[str, int]
    """Operators of the graph, by type."""
    fusion: Fusion
    """What onnxruntime makes of the graph."""
    findings: tuple[Finding, ...]
    """What deserves a look."""

    def as_dict(self) -> dict[str, Any]:
        """The whole report, for JSON."""
        return {
            "path": str(self.path),
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
            f"{self.path}: {self.contract.name}, {sum(self.operators.values())} nodes after {changed}; "
            f"largest error {served.max_abs:.2g}, {served.max_abs / served.noise_floor:.2g} of the noise floor ({served.factor:g} allowed)"
        )
