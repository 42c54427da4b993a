from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from upconv.export.steps import ExportDraft, ExportOptions, choose_session
from upconv.export.tuner import WISHES, Tuner
from upconv.runtime.contract import SessionOptions, TuningTrial

EARLIER = TuningTrial(name="a rewrite", speed=1, low=1, high=1, kept=False)


def test_without_a_tuner_the_session_is_the_usual_one(doubler: ExportDraft) -> None:
    assert choose_session(doubler) == (doubler, None)


def test_what_is_faster_is_added_to_the_session_and_every_trial_is_recorded(
    doubler: ExportDraft, decided: Callable[..., Tuner]
) -> None:
    options = ExportOptions(tuner=decided("without memory arena", "without blocked layout"))
    tile = (np.zeros((1, 3, 8, 9), np.float32),)
    draft, report = choose_session(replace(doubler, options=options, tile=tile, trials=(EARLIER,)))
    assert draft.session == SessionOptions(arena=False, memory_pattern=False, blocked=False)
    assert draft.tuning is not None
    assert draft.tuning.shape == (1, 3, 8, 9)
    assert [trial.name for trial in draft.tuning.trials] == ["a rewrite", *WISHES]
    assert report is not None
    assert (report.name, report.changed, report.summary) == ("tune", False, str(draft.tuning))
