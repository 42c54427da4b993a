"""The step that inspects the finished graph: what onnxruntime fuses, and the findings of lint."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.fusion import fusion
from upconv.export.lint import lint
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed


def inspect_graph(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the node counts of the model in onnxruntime, and the findings in the source and the plain graph."""
    fused, findings = fusion(needed(draft.model)), (*draft.findings, *draft.source.findings, *lint(needed(draft.plain)))
    summary = f"onnxruntime runs it as {fused}; {len(findings)} findings"
    return replace(draft, fusion=fused, findings=findings), StageReport("lint", False, summary)
