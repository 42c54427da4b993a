"""The step that folds constants and removes nodes without effect."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.report import StageReport
from upconv.export.simplify import Simplify
from upconv.export.steps.draft import ExportDraft
from upconv.export.steps.verified import verified


def simplify_graph(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Simplify the plain graph, if the result is equal."""
    draft, report = verified(Simplify(), draft)
    return replace(draft, plain=draft.model), report
