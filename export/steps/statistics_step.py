"""The step that finds the means over the whole picture, so that a model with squeeze-and-excitation can be tiled."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import onnx

from upconv.export.halo.global_means import GlobalMean, PassFields, global_means, pass_fields
from upconv.export.halo.receptive_field import ReceptiveFields
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Halo, NoHalo, Statistic

MAX_COST = 4.0
"""Largest cost of tiles in passes, as a multiple of the cost of the whole picture. Above it, the model is not tiled."""


def find_statistics(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the means over the whole picture and the halo that applies if they are given, if only they prevent tiles."""
    stated = draft.source.statistics
    if draft.pixels is None or not global_means(needed(draft.plain)):
        return draft, None
    if isinstance(draft.halo, Halo):
        return _kept(draft, stated) if stated else (draft, None)
    found = _statistics(draft, needed(draft.model))
    if isinstance(found, NoHalo):
        return replace(draft, halo=found), StageReport("statistics", False, f"not tiled: {found.node}: {found.reason}")
    statistics, fields = found
    halo = _union(draft, [fields.output, *fields.features])
    levels = max(fields.levels) + 1
    summary = (
        f"{len(statistics)} means over the whole picture; tiles take {levels + 1} passes, {fields.cost:.2g} times the work"
    )
    return replace(draft, halo=halo, statistics=statistics), StageReport("statistics", False, summary)


def _kept(draft: ExportDraft, stated: tuple[Statistic, ...]) -> tuple[ExportDraft, StageReport]:
    """Add the statistics of an exported file, with the names that its tensors have now.

    The file's graph may be rewritten, so its receptive fields may be impossible to derive; the tiling step checks them.
    """
    means, channels = global_means(needed(draft.model)), _channels(needed(draft.model))
    if [channels.get(mean.features) for mean in means] != [statistic.channels for statistic in stated]:
        halo = NoHalo(node="the means over the whole picture", reason="the finished graph does not compute them in float32")
        return replace(draft, halo=halo), StageReport("statistics", False, f"not tiled: {halo.node}: {halo.reason}")
    named = (
        statistic.model_copy(update={"features": mean.features, "mean": mean.mean, "flat": mean.flat})
        for statistic, mean in zip(stated, means, strict=True)
    )
    summary = f"{len(stated)} means over the whole picture, as the file states; the tiling step checks them"
    return replace(draft, statistics=tuple(named)), StageReport("statistics", False, summary)


def _statistics(draft: ExportDraft, model: onnx.ModelProto) -> tuple[tuple[Statistic, ...], PassFields] | NoHalo:
    fields = pass_fields(needed(draft.plain))
    if isinstance(fields, NoHalo):
        return fields
    if fields.cost > MAX_COST:
        reason = f"tiles in {max(fields.levels) + 2} passes would take {fields.cost:.2g} times the work, more than {MAX_COST:g}"
        return NoHalo(node="the means over the whole picture", reason=reason)
    means, channels = global_means(model), _channels(model)
    if len(means) != len(fields.features) or any(mean.features not in channels for mean in means):
        return NoHalo(node="the means over the whole picture", reason="the finished graph does not compute them in float32")
    multiple = min(law.multiple for law in draft.laws if law is not None)
    if any(not float(field.scale * multiple).is_integer() for pair in fields.features for field in pair):
        return NoHalo(
            node="the means over the whole picture", reason="a position of their features is not a whole number of pixels"
        )
    triples = zip(means, fields.features, fields.levels, strict=True)
    return tuple(_statistic(mean, pair, level, channels[mean.features]) for mean, pair, level in triples), fields


def _statistic(mean: GlobalMean, fields: ReceptiveFields, level: int, channels: int) -> Statistic:
    return Statistic(
        features=mean.features, mean=mean.mean, channels=channels, flat=mean.flat, level=level, scale=float(fields[0].scale)
    )


def _channels(model: onnx.ModelProto) -> dict[str, int]:
    """Return the channels of each float32 feature map whose channels are known."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type for value in (*inferred.value_info, *inferred.input, *inferred.output)}
    return {
        name: tensor.shape.dim[1].dim_value
        for name, tensor in types.items()
        if tensor.elem_type == onnx.TensorProto.FLOAT and len(tensor.shape.dim) == 4 and tensor.shape.dim[1].dim_value
    }


def _union(draft: ExportDraft, fields: list[ReceptiveFields]) -> Halo:
    """Return the smallest halo, counted from the picture, that holds all receptive fields."""
    context, crop, scale = draft.context, draft.crop, needed(draft.laws[0]).scale
    sides = {}
    for axis, (before, after) in enumerate((("top", "bottom"), ("left", "right"))):
        start = Fraction(getattr(context, before, 0)) - Fraction(getattr(crop, before, 0)) / Fraction(scale)
        along = [pair[axis] for pair in fields]
        sides[before] = max(0, *(math.floor(start - field.low) for field in along))
        sides[after] = max(0, *(math.floor(field.high + 1 - 1 / field.scale - start) for field in along))
    return Halo(**sides)
