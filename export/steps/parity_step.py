"""The step that proves the rewritten graph equal to the source, in the runtime that serves it."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.errors import ExportError

LEVELS = ("disabled", "all")
"""The optimisation levels of onnxruntime that are compared with the source."""


def prove_parity(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the verdict on the graph at each level; raises `ExportError` if one is not equal."""
    reference, model = needed(draft.reference), needed(draft.model)
    verdicts = tuple(reference.judge(model, level) for level in LEVELS)
    for verdict in verdicts:
        if not verdict.equal:
            raise ExportError(f"{verdict.backend} at level {verdict.level} computes another function: {verdict}")
    summary = "onnxruntime, optimisations disabled and all"
    return replace(draft, verdicts=verdicts), StageReport("parity", False, summary, str(verdicts[-1]))
