"""The step that recognises whether the model upscales pictures."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.halo.alignment import find_alignment
from upconv.export.halo.derivation import derive
from upconv.export.pictures import image_pixels
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Halo, NoHalo, Pixels


def recognise_task(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the pixels of input and output, if the model upscales pictures.

    If its output is not exactly `scale` times its input, add the context and the crop, and count the halo from the picture.
    """
    if draft.source.example[0].dtype.kind != "f" or draft.source.example[0].ndim != 4:
        return draft, None  # the runtime gives pictures as float32 (N, C, H, W)
    channels, laws = draft.source.shapes[0][1], [law for law in draft.picture_laws if law is not None]
    pixels = image_pixels(needed(draft.model), channels, draft.picture_laws, draft.source.pixels)
    report = None
    if pixels is not None and any(law.offset for law in laws):
        plain = needed(draft.plain)
        alignment = find_alignment(plain, OnnxruntimeBackend(plain), channels, laws, draft.source.fill)
        if isinstance(alignment, str):
            return draft, StageReport("task", False, f"no upscaler: {alignment}")
        draft = replace(draft, context=alignment.context, crop=alignment.crop)
        fields = derive(plain)
        if isinstance(draft.halo, Halo) and not isinstance(fields, NoHalo):
            draft = replace(draft, halo=alignment.halo(fields))
        report = StageReport("task", False, f"upscale, with {_around(draft)}")
    return replace(draft, pixels=pixels, output_pixels=_output(pixels, draft.source.output_pixels)), report


def _around(draft: ExportDraft) -> str:
    parts = (("context", draft.context, "input"), ("crop", draft.crop, "output"))
    return " and ".join(
        f"a {name} of {part.top} above, {part.bottom} below, {part.left} left and {part.right} right, in {unit} pixels"
        for name, part, unit in parts
        if part is not None
    )


def _output(pixels: Pixels | None, stated: Pixels | None) -> Pixels | None:
    """Return the range that the source states for the output, with the colour of the input."""
    if pixels is None or stated is None:
        return pixels
    return Pixels(color=pixels.color, low=stated.low, high=stated.high)
