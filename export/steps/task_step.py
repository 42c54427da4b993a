"""The step that recognises whether the model upscales pictures."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.pictures import image_pixels
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Pixels


def recognise_task(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the pixels of input and output, if the model upscales pictures."""
    if draft.source.example[0].dtype.kind != "f":
        return draft, None  # the runtime gives pictures as float32
    pixels = image_pixels(needed(draft.model), draft.source.shapes[0][1], draft.laws, draft.source.pixels)
    return replace(draft, pixels=pixels, output_pixels=_output(pixels, draft.source.output_pixels)), None


def _output(pixels: Pixels | None, stated: Pixels | None) -> Pixels | None:
    """Return the range that the source states for the output, with the colour of the input."""
    if pixels is None or stated is None:
        return pixels
    return Pixels(color=pixels.color, low=stated.low, high=stated.high)
