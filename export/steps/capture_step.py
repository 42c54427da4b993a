"""The step that captures the source as a graph, and proves the graph equal to the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx

from upconv.export.graphs import opset_of
from upconv.export.reference import ReferenceOutputs
from upconv.export.report import StageReport
from upconv.export.sizes import InputAxis
from upconv.export.steps.contract import provenance_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.errors import ExportError


def capture_graph(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the graph, the reference outputs and the provenance of the source.

    An axis that is fixed in the graph is fixed in the draft, too. Raises `ExportError` if the source cannot be captured,
    or if the graph computes another function.
    """
    source, axes = draft.source, needed(draft.axes)
    batch = () if draft.free_batch else (InputAxis(0, None, free=False),)
    model = source.original.capture(source.name, source.example, (*batch, *axes), draft.options.opset)
    kept = tuple(axis if not axis.free or _symbolic(model, axis) else InputAxis(axis.index, None, free=False) for axis in axes)
    reference = ReferenceOutputs.of(source, kept, model)
    verdict = reference.judge(model)
    if not verdict.equal and not (verdict.problem is None and verdict.same_function):
        raise ExportError(f"the graph that torch made of {source.name} is not the same function: {verdict}")
    pinned = [axis for axis, now in zip(axes, kept, strict=True) if axis.free and not now.free]
    summary = f"{len(model.graph.node)} nodes, opset {opset_of(model)}{_fixed(model, pinned)}"
    captured = replace(draft, axes=kept, plain=model, model=model, reference=reference, provenance=provenance_of(source))
    return captured, StageReport("capture", True, summary, str(verdict))


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
