"""The step that compares tiles with the whole picture, in the engine that serves."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.halo.derivation import products_per_pixel
from upconv.export.halo.global_means import PassFields, pass_fields
from upconv.export.halo.trial import REDUCED_TOLERANCE, TOLERANCE, tiling_difference
from upconv.export.report import StageReport
from upconv.export.steps.contract import contract_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Halo, NoHalo


def try_tiling(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the difference between tiles and the whole picture, and remove the halo if it is too large."""
    if not isinstance(draft.halo, Halo) or draft.pixels is None:
        return draft, None
    fields = pass_fields(needed(draft.plain)) if draft.statistics else None
    products = fields.products if isinstance(fields, PassFields) else products_per_pixel(needed(draft.plain))
    difference = tiling_difference(needed(draft.model), contract_of(draft), products)
    if difference > (TOLERANCE if draft.precision == "fp32" else REDUCED_TOLERANCE):
        reason = f"tiles with the derived halo differ from the whole picture by {difference:.2g}"
        halo = NoHalo(node="the whole graph", reason=reason)
        return replace(draft, halo=halo, statistics=()), StageReport("tiling", False, f"none: {reason}")
    summary = f"tiles differ from the whole picture by {difference:.2g} at most"
    return replace(draft, tiling_max_abs=difference), StageReport("tiling", False, summary)
