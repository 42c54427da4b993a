"""The result of an export, with the report of every step."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx

from upconv.export.fusion import Fusion
from upconv.export.html_table import facts_table
from upconv.export.lint import Finding
from upconv.export.storage import save
from upconv.runtime.contract import Contract, NoHalo
from upconv.runtime.errors import OutputError


@dataclass(frozen=True)
class StageReport:
    """The report of one step of an export."""

    name: str
    """The name of the step."""
    seconds: float = field(default=0.0, kw_only=True)
    """The time that the step took. The runner fills it in."""
    changed: bool
    """Whether the step changed the graph."""
    summary: str
    """The result in words, or the reason why nothing changed."""
    equality: str = ""
    """The verdict on the result, empty if it was not measured."""


@dataclass(frozen=True)
class Artifact:
    """The result of an export: a model that was proved equal to its source, and the reports of the steps."""

    model: onnx.ModelProto = field(repr=False)
    """The ONNX model, with the contract in its metadata."""
    contract: Contract
    """The contract of the model."""
    stages: tuple[StageReport, ...]
    """The reports of the steps, in order."""
    operators: dict[str, int]
    """The number of nodes of each operator type."""
    fusion: Fusion
    """The node counts of the graph that onnxruntime runs."""
    findings: tuple[Finding, ...]
    """The findings of lint."""
    saved_to: Path | None = None
    """The path of the file; `None` before the model is saved."""

    @property
    def path(self) -> Path:
        """The path of the saved file; raises `OutputError` if the model was not saved."""
        if self.saved_to is None:
            raise OutputError(f"{self.contract.name} is not saved yet; save it first")
        return self.saved_to

    def save(self, path: Path) -> Artifact:
        """Write the model and return the artifact with its path; raises `OutputError` if that fails.

        The file is written atomically.
        """
        save(self.model, path)
        return replace(self, saved_to=path)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary for JSON."""
        return {
            "version": 1,
            "path": self.saved_to and str(self.saved_to),
            "stages": [asdict(stage) for stage in self.stages],
            "operators": self.operators,
            "fusion": asdict(self.fusion),
            "findings": [asdict(finding) for finding in self.findings],
            "contract": self.contract.model_dump(mode="json"),
        }

    def _repr_html_(self) -> str:
        """Return the table that Jupyter shows."""
        contract = self.contract
        halo = contract.halo
        parity = next((each for each in contract.evidence.parity if each.level == "all"), None)
        facts = [
            ("file", str(self.saved_to or "not saved")),
            ("task", contract.task),
            ("height", str(contract.height or "")),
            ("width", str(contract.width or "")),
            ("halo", f"none: {halo.reason}" if isinstance(halo, NoHalo) else str(halo or "")),
            ("precision", contract.precision),
            ("opset", str(contract.opset)),
            ("nodes", str(sum(self.operators.values()))),
            ("changed by", ", ".join(stage.name for stage in self.stages if stage.changed)),
            (
                "largest error",
                "" if parity is None else f"{parity.max_abs:.2g}, {parity.factor * parity.noise_floor:.2g} allowed",
            ),
            *(("look at", str(finding)) for finding in self.findings),
        ]
        return facts_table(contract.name, facts)

    @property
    def summary(self) -> str:
        """One line with the changes and the largest error of the result."""
        served = next(p for p in self.contract.evidence.parity if p.level == "all")
        changed = ", ".join(s.name for s in self.stages if s.changed)
        return (
            f"{self.saved_to or 'not written'}: {self.contract.name}, {sum(self.operators.values())} nodes{f' after {changed}' if changed else ', not changed'}; "
            f"largest error {served.max_abs:.2g}, {served.max_abs / served.noise_floor:.2g} of the noise floor ({served.factor:g} allowed)"
        )
