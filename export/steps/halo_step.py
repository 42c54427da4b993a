"""The step that derives the halo from the plain graph. In a graph rewritten to phases it could not be derived."""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.halo import derivation
from upconv.export.halo.trial import BUDGET, strip
from upconv.export.report import StageReport
from upconv.export.sizes import Shape
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Halo, NoHalo, SizeLaw

MARGIN_PX = 16
"""Pixels of a probed input beyond the halo."""


def derive_halo(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the halo that follows from the operators, if a change of one pixel moves no output beyond it."""
    model, (rows, columns) = needed(draft.plain), draft.laws
    if rows is None or columns is None:
        return draft, _none("the output's size does not follow a picture's height and width")
    if len(model.graph.input) > 1:
        return draft, _none("there are several inputs, and tiles are cut from one")
    reaches = derivation.derive(model)
    if not isinstance(reaches, NoHalo):
        shapes = _probed(model, draft.source.shapes[0][1], (rows, columns), derivation.halo_of(reaches))
        backend = OnnxruntimeBackend(model)
        probes = (derivation.probe(backend, shape, reaches) for shape in shapes)
        halo = next((found for found in probes if found is not None), derivation.halo_of(reaches))
    elif draft.source.halo is not None:
        said = f"{draft.source.halo}, as the file states and tiles will show"
        return replace(draft, halo=draft.source.halo), StageReport("halo", False, said)
    else:
        halo = reaches
    said = f"none finite: {halo.node}: {halo.reason}" if isinstance(halo, NoHalo) else str(halo)
    return replace(draft, halo=halo), StageReport("halo", False, said)


def _none(reason: str) -> StageReport:
    return StageReport("halo", False, f"none: {reason}")


def _probed(model: onnx.ModelProto, channels: int, laws: tuple[SizeLaw, SizeLaw], halo: Halo) -> list[Shape]:
    """Return shapes of inputs with room for the halo: one picture, or a strip along each axis if a picture costs too much."""
    margins = (halo.top + halo.bottom, halo.left + halo.right)
    height, width = (law.fitted(margin + MARGIN_PX) for law, margin in zip(laws, margins, strict=True))
    if derivation.products_per_pixel(model) * height * width <= BUDGET:
        return [(1, channels, height, width)]
    return [(1, channels, height, strip(laws[1])), (1, channels, strip(laws[0]), width)]
