"""The step that finds the size laws of the source."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from upconv.export.reference import output_shapes
from upconv.export.report import StageReport
from upconv.export.sizes import InputAxis, Shapes, accepts_batches, leading
from upconv.export.sources.refusal import refusal
from upconv.export.sources.stated_axes import batch_is_stated, source_axes
from upconv.export.steps.draft import ExportDraft
from upconv.runtime.errors import ExportError


def find_sizes(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the axes with their size laws; raises `ExportError` if the source refuses its example.

    Raises `ExportError`, too, if trials contradict the axes that the user states.
    """
    source, shapes = draft.source, draft.source.shapes
    first = output_shapes(source.original.backend("float32"), source, shapes)
    if first is None:
        raise ExportError(
            f"{source.name} refuses an input of shape {_joined(shapes)}: {refusal(source)}; give a shape that it accepts with --shape"
        )
    backend = source.original.sizes()
    attempt = cache(lambda s: output_shapes(backend, source, s))
    axes = source_axes(attempt, source)
    laws = "; ".join(f"{name_of(axis, shapes)}: {_law(axis, shapes)}" for axis in axes)
    found = replace(draft, axes=axes, free_batch=batch_is_stated(source) and accepts_batches(attempt, shapes))
    return found, StageReport("sizes", False, laws or f"{_joined(shapes)} to {_joined(first)}")


def name_of(axis: InputAxis, shapes: Shapes) -> str:
    """Return the name of an axis in reports: depth, height or width, or its number where its place says nothing."""
    lead, rank = leading(shapes), len(shapes[axis.inputs[0]])
    if axis.inputs[0] != lead or not 2 <= axis.index < rank <= 5:
        return f"axis {axis.index}" if axis.inputs[0] == lead else f"axis {axis.index} of input {axis.inputs[0]}"
    return ["depth", "height", "width"][axis.index - rank]


def _law(axis: InputAxis, shapes: Shapes) -> str:
    if axis.law is None:
        length = shapes[axis.inputs[0]][axis.index]
        return "any size, without a law of the output size" if axis.free else f"{length} only"
    return str(axis.law)


def _joined(shapes: Shapes) -> str:
    return " and ".join(str(shape) for shape in shapes)
