from __future__ import annotations

from dataclasses import replace

import pytest

from upconv.export.precision import Precision
from upconv.export.steps import ExportDraft, try_tiling
from upconv.runtime.contract import Halo, NoHalo

EXACT = Halo(top=2, bottom=2, left=2, right=2)


def test_an_exact_halo_makes_tiles_equal_to_the_whole(upscaler: ExportDraft) -> None:
    draft, report = try_tiling(replace(upscaler, halo=EXACT))
    assert draft.halo == EXACT
    assert draft.tiling_max_abs is not None and draft.tiling_max_abs <= 1e-6
    assert report is not None
    assert report.name == "tiling"
    assert report.summary.startswith("tiles differ from the whole picture by ")


@pytest.mark.parametrize("side", ["bottom", "left", "right"])
def test_a_halo_that_is_too_small_on_one_side_is_taken_back(upscaler: ExportDraft, side: str) -> None:
    draft, report = try_tiling(replace(upscaler, halo=EXACT.model_copy(update={side: 0})))
    assert isinstance(draft.halo, NoHalo)
    assert draft.tiling_max_abs is None
    assert report is not None
    assert report.summary == f"none: {draft.halo.reason}"


def test_what_is_not_tiled_is_not_tried(upscaler: ExportDraft) -> None:
    for draft in (upscaler, replace(upscaler, halo=EXACT, pixels=None)):
        assert try_tiling(draft) == (draft, None)


@pytest.mark.parametrize(("precision", "tiled"), [("fp32", False), ("int8", True)])
def test_fewer_bits_may_differ_by_more(
    upscaler: ExportDraft, precision: Precision, tiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.export.steps.tiling_step.tiling_difference", lambda *_: 3 / 255)
    draft, _ = try_tiling(replace(upscaler, halo=EXACT, precision=precision))
    assert isinstance(draft.halo, Halo) is tiled


@pytest.mark.parametrize(
    ("precision", "difference", "tiled"),
    [
        ("fp32", 1e-3, True),
        ("fp32", 1.001e-3, False),
        ("fp16", 4 / 255, True),
        ("fp16", 4.001 / 255, False),
        ("int8", 4 / 255, True),
        ("int8", 4.001 / 255, False),
    ],
)
def test_what_differs_by_more_than_a_thousandth_is_not_tiled(
    upscaler: ExportDraft, precision: Precision, difference: float, tiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.export.steps.tiling_step.tiling_difference", lambda *_: difference)
    draft, _ = try_tiling(replace(upscaler, halo=EXACT, precision=precision))
    assert isinstance(draft.halo, Halo) is tiled
    assert draft.tiling_max_abs == (difference if tiled else None)
