"""The step that finds the fastest session options for the finished graph."""

from __future__ import annotations

from dataclasses import replace

import onnxruntime as ort

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.steps.verified import compared
from upconv.export.tuner import WISHES
from upconv.runtime.contract import Tuning
from upconv.runtime.cores import processor


def choose_session(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the fastest session options, and the record of all tuning trials, if there is a tuner."""
    if draft.options.tuner is None:
        return draft, None
    for name, wish in WISHES.items():
        session = draft.session.model_copy(update=wish.model_dump(exclude_defaults=True))
        draft, trial = compared(draft, name, needed(draft.model), session)
        if trial.kept:
            draft = replace(draft, session=session)
    tuning = Tuning(
        shape=tuple(needed(draft.tile)[0].shape),
        trials=draft.trials,
        machine=processor(),
        runtime=f"onnxruntime {ort.__version__}",
    )
    return replace(draft, tuning=tuning), StageReport("tune", False, str(tuning))
