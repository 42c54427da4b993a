"""The step that measures the deviation of smaller halos, for a model whose exact halo is large."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.halo.deviation import halo_deviation
from upconv.export.report import StageReport
from upconv.export.steps.contract import contract_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Halo


def measure_deviation(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the deviation of each smaller halo, if the model is tiled and its exact halo is large."""
    if not isinstance(draft.halo, Halo) or draft.pixels is None:
        return draft, None
    table = halo_deviation(needed(draft.model), contract_of(draft))
    if not table:
        return draft, None
    rows = ", ".join(f"{row.halo_px}: {row.steps:.2g}" for row in table)
    return replace(draft, halo_deviation=table), StageReport("deviation", False, f"8-bit steps on a photograph by halo: {rows}")
