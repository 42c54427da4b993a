"""The step that chooses the inputs of speed measurements."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.tuner import quick_enough, tiles


def pick_tile(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the largest tile that the plain graph computes quickly enough, if there is a tuner."""
    if draft.options.tuner is None:
        return draft, None
    tile = quick_enough(needed(draft.plain), tiles(draft.source, needed(draft.axes)))
    return replace(draft, tile=tile), None
