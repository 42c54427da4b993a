"""The step that captures the source as a graph, and proves the graph equal to the source."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import onnx

from upconv.export.capture.conditions import SizeConditions, recorded_conditions
from upconv.export.graphs import accepts, opset_of
from upconv.export.reference import ReferenceOutputs
from upconv.export.report import StageReport
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source
from upconv.export.steps.contract import provenance_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.steps.narrower_sizes import narrower_sizes, total_stride
from upconv.export.steps.proved_sizes import UnequalGraphError, proved_sizes
from upconv.export.steps.trial_sizes import TrialSizes
from upconv.export.verdict import Verdict
from upconv.runtime.errors import ExportError

PATIENCE_S = 120.0
"""The processor time after which narrower size laws are no longer tried, but one size only."""


def capture_graph(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the graph, the reference outputs and the provenance of the source.

    An axis that is fixed in the graph is fixed in the draft, too. If the graph does not hold at all sizes of the laws, larger
    multiples are tried, and one size at last. Raises `ExportError` if the source cannot be captured, or if the graph computes
    another function.
    """
    started = time.thread_time()
    try:
        return _proved(draft)
    except UnequalGraphError as error:
        problem = error
    hopeless = False
    narrower = list(narrower_sizes(needed(draft.axes), problem.stride))
    for number, (axes, words) in enumerate(narrower):
        if any(axis.free for axis in axes) and (hopeless or time.thread_time() - started > PATIENCE_S):
            continue
        try:
            captured, report = _proved(replace(draft, axes=axes))
        except ExportError:
            hopeless = hopeless or (number == 0 and _fails_at_largest(draft, narrower, problem.line))
            continue
        why = f"by {problem.line}" if problem.line else "since the graph of other sizes computes another function"
        summary = f"{report.summary}; {words}, {why}"
        return captured, replace(report, summary=summary)
    raise problem


def _fails_at_largest(draft: ExportDraft, narrower: Sequence[tuple[tuple[InputAxis, ...], str]], line: str) -> bool:
    """Return true if the largest multiple fails because of the same line of the module as all sizes do.

    Then so do the multiples between them, because its sizes are among theirs.
    """
    free = [axes for axes, _ in narrower if any(axis.free for axis in axes)]
    if not line or len(free) < 3:
        return False
    try:
        _proved(replace(draft, axes=max(free, key=lambda axes: sum(axis.law.multiple for axis in axes if axis.law))))
    except UnequalGraphError as error:
        return error.line == line
    except ExportError:
        pass
    return False


def _proved(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    source, axes = draft.source, needed(draft.axes)
    model, conditions = _captured(draft, free_batch=draft.free_batch)
    if draft.free_batch and not _holds_for_one(source, model, conditions):
        draft = replace(draft, free_batch=False)
        model, conditions = _captured(draft, free_batch=False)
    kept = tuple(axis if not axis.free or _symbolic(model, axis) else InputAxis(axis.index, None, free=False) for axis in axes)
    trial = TrialSizes(source, model)
    different = trial.difference()
    if different is not None:
        raise _unequal(source, different, model, conditions)
    proved = proved_sizes(trial, kept, conditions, free_batch=draft.free_batch)
    del trial  # its session holds the weights
    kept = proved.axes
    reference = ReferenceOutputs.of(source, kept, model, proved.max_batch)
    verdict = _judged(source, reference, model, conditions)
    pinned = [axis for axis, now in zip(axes, kept, strict=True) if axis.free and not now.free]
    summary = f"{len(model.graph.node)} nodes, opset {opset_of(model)}{_fixed(model, pinned)}"
    summary = "; ".join([summary, *proved.notes])
    captured = replace(
        draft,
        axes=kept,
        max_batch=proved.max_batch,
        plain=model,
        model=model,
        reference=reference,
        provenance=provenance_of(source),
    )
    return captured, StageReport("capture", True, summary, str(verdict))


def _judged(source: Source, reference: ReferenceOutputs, model: onnx.ModelProto, conditions: SizeConditions) -> Verdict:
    """Return the verdict on a graph; raises `UnequalGraphError` if it is not the same function."""
    try:
        verdict = reference.judge(model)
    except ExportError as error:
        raise _unequal(source, str(error), model, conditions) from error
    if not verdict.equal and not (verdict.problem is None and verdict.same_function):
        raise _unequal(source, str(verdict), model, conditions)
    return verdict


def _unequal(source: Source, why: str, model: onnx.ModelProto, conditions: SizeConditions) -> UnequalGraphError:
    error = UnequalGraphError(f"the graph that torch made of {source.name} is not the same function: {why}")
    condition = conditions.broken(source.shapes)
    error.line = condition.line if condition is not None else ""
    error.stride = total_stride(model)
    return error


def _captured(draft: ExportDraft, *, free_batch: bool) -> tuple[onnx.ModelProto, SizeConditions]:
    """Return the graph of the source, and the conditions on sizes under which it holds."""
    source, batch = draft.source, () if free_batch else (InputAxis(0, None, free=False),)
    with recorded_conditions() as conditions:
        model = source.original.capture(source.name, source.example, (*batch, *needed(draft.axes)), draft.options.opset)
    for axis in source.fixed_axes:
        for number in axis.inputs:  # an .onnx or .pt2 file keeps its own free axes
            model.graph.input[number].type.tensor_type.shape.dim[axis.index].dim_value = source.shapes[number][axis.index]
    return model, conditions


def _holds_for_one(source: Source, model: onnx.ModelProto, conditions: SizeConditions) -> bool:
    """Return whether a graph holds for the batch of the example. The trace has a batch of two, which torch may pin."""
    if not accepts(model, source.shapes):
        return False
    return conditions.broken(source.shapes) is None or TrialSizes(source, model).agrees(source.shapes)


def _symbolic(model: onnx.ModelProto, axis: InputAxis) -> bool:
    return all(model.graph.input[number].type.tensor_type.shape.dim[axis.index].dim_param for number in axis.inputs)


def _fixed(model: onnx.ModelProto, pinned: Sequence[InputAxis]) -> str:
    """Return the fixed axes in words: those that torch pinned, or those of the first input."""
    if pinned:
        lengths = ", ".join(f"axis {axis.index} to {_length(model, axis)}" for axis in pinned)
        return f"; torch pinned {lengths}: it could not trace the module for other sizes"
    dims = model.graph.input[0].type.tensor_type.shape.dim
    names = ["batch", "channels", *["depth", "height", "width"][-max(0, len(dims) - 2) :]][: len(dims)]
    pairs = zip(names, dims, strict=False)
    fixed = ", ".join(f"{name} {d.dim_value}" for name, d in pairs if d.dim_value and name != "channels")
    return f"; fixed: {fixed}" if fixed else ""


def _length(model: onnx.ModelProto, axis: InputAxis) -> int:
    length: int = model.graph.input[axis.inputs[0]].type.tensor_type.shape.dim[axis.index].dim_value
    return length
