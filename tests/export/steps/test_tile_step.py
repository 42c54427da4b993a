from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from upconv.export.steps import ExportDraft, ExportOptions, pick_tile
from upconv.export.tuner import Tuner


def test_without_a_tuner_nothing_is_measured(doubler: ExportDraft) -> None:
    assert pick_tile(doubler) == (doubler, None)


@pytest.mark.parametrize(("limit_s", "side"), [(1e9, 384), (0.0, 48)])
def test_the_largest_tile_that_is_quick_enough_is_picked(
    doubler: ExportDraft, decided: Callable[..., Tuner], limit_s: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.export.tuner.RUN_S", limit_s)
    draft, report = pick_tile(replace(doubler, options=ExportOptions(tuner=decided())))
    assert report is None
    assert draft.tile is not None
    assert [x.shape for x in draft.tile] == [(1, 3, side, side)]
