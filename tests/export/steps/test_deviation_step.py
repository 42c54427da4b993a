from __future__ import annotations

from dataclasses import replace

from upconv.export.steps import ExportDraft, measure_deviation
from upconv.runtime.contract import Halo


def halo(px: int) -> Halo:
    return Halo(top=px, bottom=px, left=px, right=px)


def test_smaller_halos_than_a_large_one_are_measured(upscaler: ExportDraft) -> None:
    draft, report = measure_deviation(replace(upscaler, halo=halo(65)))
    assert [row.halo_px for row in draft.halo_deviation] == [10, 16, 24, 32, 48, 64]
    assert all(row.steps < 1e-3 for row in draft.halo_deviation)  # the model in truth looks 2 pixels far
    assert report is not None
    assert report.name == "deviation"
    assert report.summary.startswith("8-bit steps on a photograph by halo: 10: ")


def test_a_halo_that_is_small_enough_to_use_needs_no_table(upscaler: ExportDraft) -> None:
    for draft in (replace(upscaler, halo=halo(64)), replace(upscaler, halo=halo(65), pixels=None), upscaler):
        assert measure_deviation(draft) == (draft, None)
