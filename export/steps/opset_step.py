"""The step that converts an older graph to the operator set of the options."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.opset import RaiseOpset
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft
from upconv.export.steps.verified import verified


def raise_opset(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Convert the plain graph, if the result is equal."""
    draft, report = verified(RaiseOpset(draft.options.opset), draft)
    return replace(draft, plain=draft.model), report
