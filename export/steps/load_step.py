"""The step that loads the graph of an exported file, whose sizes are known."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.reference import ReferenceOutputs
from upconv.export.steps.draft import ExportDraft, needed


def load_graph(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the graph of the file, and its outputs in float64 as the reference."""
    source, axes = draft.source, needed(draft.axes)
    model = source.original.capture(source.name, source.example, axes, draft.options.opset)
    return replace(draft, plain=model, model=model, reference=ReferenceOutputs.of(source, axes, model, draft.max_batch)), None
