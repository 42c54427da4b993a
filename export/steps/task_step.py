"""The step that decides whether the model upscales pictures."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.pictures import image_pixels
from upconv.export.steps.draft import ExportDraft, needed
from upconv.runtime.contract import Pixels


def recognise_task(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the pixels of the input and the output, if the model upscales pictures."""
    pixels = image_pixels(needed(draft.model), draft.source.shapes[0][1], draft.laws, draft.source.pixels)
    return replace(draft, pixels=pixels, output_pixels=_output(pixels, draft.source.output_pixels)), None


def _output(pixels: Pixels | None, asked: Pixels | None) -> Pixels | None:
    """Return the user's range for the output, in the colour of the input."""
    if pixels is None or asked is None:
        return pixels
    return Pixels(color=pixels.color, low=asked.low, high=asked.high)
