"""Changes to the graph that are kept only if the result is equal in float64 and, with a tuner, faster."""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.report import StageReport
from upconv.export.stage import NOTHING, Stage
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.verdict import Verdict
from upconv.runtime.contract import SessionOptions, TuningTrial
from upconv.runtime.errors import ExportError


def verified(stage: Stage, draft: ExportDraft, *, only_if_faster: bool = False) -> tuple[ExportDraft, StageReport | None]:
    """Return the draft with its model changed by `stage`, if the result is equal to the source.

    With `only_if_faster` and a tuner, the result must also be faster. Otherwise the model stays unchanged. The report is
    `None` if the stage found nothing to do.
    """
    result = stage(needed(draft.model))
    if not result.changed:
        return draft, None if result.summary == NOTHING else StageReport(stage.name, False, result.summary)
    try:
        verdict = needed(draft.reference).judge(result.model)
    except ExportError as error:
        return draft, StageReport(stage.name, False, f"rolled back: {error}")
    if not (verdict.equal and verdict.within_noise) and not _as_before(verdict, draft):
        return draft, StageReport(stage.name, False, f"rolled back: {verdict}")
    gained = ""
    if only_if_faster and draft.options.tuner is not None:
        draft, trial = compared(draft, stage.name, result.model, draft.session)
        if not trial.kept:
            return draft, StageReport(stage.name, False, f"not faster here: {trial}")
        gained = f", {trial}"
    return replace(draft, model=result.model), StageReport(stage.name, True, f"{result.summary}{gained}", str(verdict))


def _as_before(verdict: Verdict, draft: ExportDraft) -> bool:
    """Return whether a graph is the same function, less accurate than float32 allows, as the draft's model already is."""
    if verdict.problem is not None or not verdict.same_function:
        return False
    return not needed(draft.reference).judge(needed(draft.model)).within_noise


def compared(draft: ExportDraft, name: str, model: onnx.ModelProto, session: SessionOptions) -> tuple[ExportDraft, TuningTrial]:
    """Compare the draft's model and session with `model` and `session`.

    Returns the draft with the trial added, and the trial.
    """
    before, after = (needed(draft.model), draft.session), (model, session)
    trial = needed(draft.options.tuner).compare(name, before, after, needed(draft.tile))
    return replace(draft, trials=(*draft.trials, trial)), trial
