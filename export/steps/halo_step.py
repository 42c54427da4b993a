"""The step that derives the halo.

It reads the plain graph, because a graph that is rewritten to phases has no finite receptive field to derive.
"""

from __future__ import annotations

from dataclasses import replace

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.halo import derivation
from upconv.export.halo.probing import probe_shapes
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import NoHalo


def derive_halo(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the halo of the operators, and check that an input pixel changes no output beyond it."""
    model, (rows, columns) = needed(draft.plain), draft.picture_laws
    if rows is None or columns is None:
        return draft, _none("the output's size does not follow a picture's height and width")
    if len(model.graph.input) > 1:
        return draft, _none("the model has several inputs, and tiling needs a single one")
    if draft.source.example[0].dtype.kind != "f":
        return draft, _none("the input holds integers, and only pictures in float32 are tiled")
    fields = derivation.derive(model)
    if not isinstance(fields, NoHalo):
        shapes = probe_shapes(model, draft.source.shapes[0][1], (rows, columns), derivation.halo_of(fields))
        backend = OnnxruntimeBackend(model)
        probes = (derivation.probe(backend, shape, fields) for shape in shapes)
        halo = next((probe for probe in probes if probe is not None), derivation.halo_of(fields))
    elif draft.source.halo is not None:
        summary = f"{draft.source.halo}, as the file states; the tiling step checks it"
        return replace(draft, halo=draft.source.halo), StageReport("halo", False, summary)
    else:
        halo = fields
    summary = f"none finite: {halo.node}: {halo.reason}" if isinstance(halo, NoHalo) else str(halo)
    return replace(draft, halo=halo), StageReport("halo", False, summary)


def _none(reason: str) -> StageReport:
    return StageReport("halo", False, f"none: {reason}")
