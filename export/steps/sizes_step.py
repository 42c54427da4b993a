"""The step that finds the size laws of the source."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.reference import output_shapes
from upconv.export.report import StageReport
from upconv.export.sizes import InputAxis, Shapes, find_axes
from upconv.export.steps.draft import ExportDraft
from upconv.runtime.errors import ExportError


def find_sizes(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the axes with their size laws; raises `ExportError` if the source refuses its example."""
    source, shapes = draft.source, draft.source.shapes
    first = output_shapes(source.original.backend("float32"), source, shapes)
    if first is None:
        raise ExportError(
            f"{source.name} refuses an input of shape {_joined(shapes)}; give a shape that it accepts with --shape"
        )
    backend = source.original.sizes()
    axes = find_axes(lambda s: output_shapes(backend, source, s), shapes, source.multiple)
    names = ["depth", "height", "width"][-len(axes) :] if axes else []
    laws = "; ".join(f"{name}: {_law(axis, shapes)}" for name, axis in zip(names, axes, strict=True))
    return replace(draft, axes=tuple(axes)), StageReport("sizes", False, laws or f"{_joined(shapes)} to {_joined(first)}")


def _law(axis: InputAxis, shapes: Shapes) -> str:
    if axis.law is None:
        length = shapes[axis.inputs[0]][axis.index]
        return "any size, without effect on the output size" if axis.free else f"{length} only"
    return str(axis.law)


def _joined(shapes: Shapes) -> str:
    return " and ".join(str(shape) for shape in shapes)
