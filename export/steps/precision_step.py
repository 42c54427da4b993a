"""The step that reduces the precision of a proved float32 graph.

The reduced graph is kept if it passes the quality gate and, with a tuner, is faster.
"""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.precision import CalibrationSamples
from upconv.export.report import StageReport
from upconv.export.rewrite import every_conv_transpose_to_phases
from upconv.export.steps.contract import contract_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.steps.verified import compared, verified
from upconv.runtime.errors import ExportError


def reduce_precision(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Replace the model by one in reduced precision, and add its quality.

    The verdicts stay those of the float32 graph. Raises `ExportError` if the gate is not passed, unless the options
    allow float32 then.
    """
    reduction = draft.options.reduction
    if reduction.precision == "fp32":
        return draft, None
    try:
        reduced = reduction.apply(_basis(draft), contract_of(draft), trials=_trials(draft))
    except ExportError as error:
        if not reduction.only_if_faster:
            raise
        return draft, StageReport(reduction.precision, False, str(error))
    if draft.options.tuner is not None:
        draft, trial = compared(draft, reduction.precision, reduced.model, draft.session)
        if reduction.only_if_faster and not trial.kept:
            return draft, StageReport(reduction.precision, False, f"not faster here: {trial}")
    quality = reduced.quality
    kept = f"; {quality.kept} operators stay in float32" if quality.kept else ""
    draft = replace(draft, model=reduced.model, precision=reduction.precision, quality=quality)
    return draft, StageReport(reduction.precision, True, f"{quality}{kept}")


def _trials(draft: ExportDraft) -> CalibrationSamples:
    """Return the inputs of the trials, and the example if it holds more than one value."""
    example = draft.source.example
    own = [example] if any(array.size and array.min() != array.max() for array in example) else []
    return CalibrationSamples((*own, *(tuple(arrays) for arrays in needed(draft.reference).inputs)))


def _basis(draft: ExportDraft) -> onnx.ModelProto:
    """Return the graph to reduce.

    For int8, transposed convolutions become phases: these may be slower in float32, but only a convolution can be int8.
    """
    if draft.options.reduction.precision == "int8" and draft.options.tuner is not None:
        draft, _ = verified(every_conv_transpose_to_phases, draft)
    return needed(draft.model)
