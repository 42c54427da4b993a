"""Verified changes: a change to the graph is kept only if it is equal in float64 and, when tuning, faster."""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.report import StageReport
from upconv.export.stage import NOTHING, Stage
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import SessionOptions, TuningTrial
from upconv.runtime.errors import ExportError


def verified(stage: Stage, draft: ExportDraft, *, only_if_faster: bool = False) -> tuple[ExportDraft, StageReport | None]:
    """Return the draft with its model changed by `stage`, or unchanged if the result is not equal to the source.

    With `only_if_faster` and a tuner, the model is also unchanged if the tuner does not measure a gain. The report is
    `None` if the stage has nothing to say about the model.
    """
    result = stage(needed(draft.model))
    if not result.changed:
        return draft, None if result.summary == NOTHING else StageReport(stage.name, False, result.summary)
    try:
        verdict = needed(draft.reference).judge(result.model)
    except ExportError as error:
        return draft, StageReport(stage.name, False, f"rolled back: {error}")
    if not verdict.equal:
        return draft, StageReport(stage.name, False, f"rolled back: {verdict}")
    gained = ""
    if only_if_faster and draft.options.tuner is not None:
        draft, trial = compared(draft, stage.name, result.model, draft.session)
        if not trial.kept:
            return draft, StageReport(stage.name, False, f"not faster here: {trial}")
        gained = f", {trial}"
    return replace(draft, model=result.model), StageReport(stage.name, True, f"{result.summary}{gained}", str(verdict))


def compared(draft: ExportDraft, name: str, model: onnx.ModelProto, session: SessionOptions) -> tuple[ExportDraft, TuningTrial]:
    """Add one trial to the draft and return both. The trial compares `model` and `session` with the draft's own."""
    before, after = (needed(draft.model), draft.session), (model, session)
    trial = needed(draft.options.tuner).compare(name, before, after, needed(draft.tile))
    return replace(draft, trials=(*draft.trials, trial)), trial
