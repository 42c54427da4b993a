"""The sheet of one scale: a row of crops for each method, with its time, and the PSNR-Y below each crop."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gallery.crops import CROP_PX
from PIL import Image, ImageDraw, ImageFont

from upconv.models.training.data import Pixels

MAGNIFIED = 2
"""The side of the square that shows a pixel, so that the colours of a pixel survive the halved colour of WebP."""
MOST_BYTES = 290_000
"""Most bytes of a sheet."""
QUALITIES = (90, 84, 78, 72, 66, 60)
"""The qualities of WebP that are tried until a sheet is small enough."""

_TILE_PX = CROP_PX * MAGNIFIED
_GAP_PX = 8
_TITLE_PX = 24
_CAPTION_PX = 22
_INK, _SOFT, _BEST = (25, 26, 30), (90, 93, 100), (0, 95, 40)


@dataclass(frozen=True)
class GalleryRow:
    """The crops of one method."""

    name: str
    note: str
    """What stands after the name."""
    crops: tuple[Pixels, ...]
    captions: tuple[str, ...]
    """What stands below each crop."""
    best: tuple[bool, ...] = ()
    """The captions that are marked as the best of their column."""


def decibels(psnr: float) -> str:
    """Return PSNR in words."""
    return "exact" if math.isinf(psnr) else f"{psnr:.2f} dB"


def times(ratio: float) -> str:
    """Return a quotient in words."""
    return f"x{ratio:.2f}" if ratio < 0.95 else f"x{ratio:.1f}"


def sheet(rows: Sequence[GalleryRow]) -> bytes:
    """Return the rows as one WebP file of at most `MOST_BYTES`, in the best quality that permits it.

    Raises `ValueError` if none does.
    """
    image = drawn(rows)
    for quality in QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
    raise ValueError(f"the sheet has {buffer.tell()} bytes at quality {QUALITIES[-1]}; expected at most {MOST_BYTES}")


def drawn(rows: Sequence[GalleryRow]) -> Image.Image:
    """Return the rows as an image."""
    row_px = _TITLE_PX + _TILE_PX + _CAPTION_PX + _GAP_PX
    columns = len(rows[0].crops)
    image = Image.new("RGB", (columns * (_TILE_PX + _GAP_PX) + _GAP_PX, len(rows) * row_px + _GAP_PX), "white")
    for number, row in enumerate(rows):
        _draw(image, row, _GAP_PX + number * row_px)
    return image


def _draw(image: Image.Image, row: GalleryRow, top: int) -> None:
    draw = ImageDraw.Draw(image)
    name, small = ImageFont.load_default(17), ImageFont.load_default(14)
    draw.text((_GAP_PX, top), row.name, _INK, name, stroke_width=0.3)
    draw.text((_GAP_PX + draw.textlength(row.name, name) + 12, top + 3), row.note, _SOFT, small)
    for column, (crop, caption) in enumerate(zip(row.crops, row.captions, strict=True)):
        left, best = _GAP_PX + column * (_TILE_PX + _GAP_PX), bool(row.best and row.best[column])
        tile = Image.fromarray(crop).resize((_TILE_PX, _TILE_PX), Image.Resampling.NEAREST)
        image.paste(tile, (left, top + _TITLE_PX))
        below = (left, top + _TITLE_PX + _TILE_PX + 2)
        draw.text(below, f"{caption}  best" if best else caption, _BEST if best else _INK, small, stroke_width=0.4 * best)
