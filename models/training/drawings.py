"""Generated pictures for training: coloured text, line art, halftones and dithered pictures.

Photographs have none of these. A network that never saw them smears text and changes the mean of a dithered picture.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from upconv.models.training.data import Pixels

Plane = NDArray[np.float64]

OVERSAMPLING = 4
"""Lines and text are drawn this many times as large, and then reduced, because Pillow draws lines without antialiasing."""


@dataclass(frozen=True)
class Drawings:
    """Generated pairs of low and high resolution, which replace a share of the patches of a batch."""

    share: float = 0.1
    """Share of the patches that are generated."""
    dithered_share: float = 0.3
    """Share of the generated patches that have two colours, each pixel of which the result shows as a square."""
    halftone_share: float = 0.0
    """Share of the other generated patches that are printed halftones of one to four inks. The rest is text and lines."""

    def pair(self, scale: int, patch_px: int, random: np.random.Generator) -> tuple[Pixels, Pixels] | None:
        """Return a pair (low, high): (p, p, 3) and (scale*p, scale*p, 3). Return `None` if it is a photograph's turn.

        The result is the same for the same state of `random`.
        """
        if random.random() >= self.share:
            return None
        if random.random() < self.dithered_share:
            return _dithered(scale, patch_px, random)
        printed = random.random() < self.halftone_share
        draw = _halftone if printed else _text if random.random() < 0.5 else _lines
        high = draw(scale * patch_px, scale, random)
        low = high.resize((patch_px, patch_px), Image.Resampling.BICUBIC)
        return np.asarray(low), np.asarray(high)


def _text(side: int, scale: int, random: np.random.Generator) -> Image.Image:
    """Return lines of text, upright or slanted, thin or heavy, some of them with rules between them."""
    image = Image.new("RGB", (side * 2, side * 2), _colour(random))
    draw = ImageDraw.Draw(image)
    letters = list(string.ascii_letters + string.digits + " .,;:!?()&%")
    largest, row = random.uniform(6, 24) * scale, 0
    ink = _colour(random)
    while row < image.height:
        size = int(random.uniform(0.5, 1) * largest) + 6
        font = ImageFont.load_default(size=size)
        line = "".join(random.choice(letters, 40))
        heavy = size / 24 if random.random() < 0.3 else 0
        draw.text((int(-random.integers(0, size)), row), line, fill=ink, font=font, stroke_width=heavy)
        ink = ink if random.random() < 0.6 else _colour(random)
        row += int(size * random.uniform(1.0, 1.6))
        if random.random() < 0.15:
            draw.line((0, row, image.width, row), _colour(random), int(random.integers(1, 3)) * scale)
    if random.random() < 0.5:
        slant, height = random.uniform(-0.4, 0.4), random.uniform(0.7, 1.2)
        image = image.transform(
            image.size, Image.Transform.AFFINE, (1, slant, -slant * side, 0, height, 0), Image.Resampling.BICUBIC
        )
        image = image.crop((side // 2, 0, side // 2 + side + side // 8, side + side // 8))
    return _turned(image.resize((side, side), Image.Resampling.LANCZOS), random)


def _lines(side: int, scale: int, random: np.random.Generator) -> Image.Image:
    """Return flat shapes, outlines, curves and hatching, in widths from a high-resolution pixel up."""
    big = side * OVERSAMPLING
    image = Image.new("RGB", (big, big), _colour(random))
    draw = ImageDraw.Draw(image)
    if random.random() < 0.3:
        pitch, lean = random.uniform(2.5, 10) * scale * OVERSAMPLING, random.uniform(-1, 1) * big
        colour, width = _colour(random), _width(scale, random)
        for start in np.arange(-big, 2 * big, pitch):
            draw.line((start, 0, start + lean, big), colour, width)
    for _ in range(int(random.integers(3, 14))):
        colour, width = _colour(random), _width(scale, random)
        points = [
            tuple(int(v) for v in random.integers(-big // 8, big + big // 8, 2)) for _ in range(int(random.integers(3, 7)))
        ]
        kind = int(random.integers(6))
        if kind == 0:
            draw.line(points, fill=colour, width=width, joint="curve")
        elif kind == 1:
            draw.polygon(points[:4], fill=colour)
            if random.random() < 0.5:
                draw.line([*points[:4], points[0]], _colour(random), width, joint="curve")
        elif kind == 2:
            draw.line(_curve(points), fill=colour, width=width, joint="curve")
        else:
            (left, top), radius = points[0], int(random.integers(big // 16, big // 2))
            shape = (draw.ellipse, draw.rectangle, draw.ellipse)[kind - 3]
            fill = _colour(random) if random.random() < 0.4 else None
            shape((left, top, left + radius, top + radius), outline=colour, width=width, fill=fill)
    return _turned(image.resize((side, side), Image.Resampling.BOX), random)


def _width(scale: int, random: np.random.Generator) -> int:
    """Return the width of a line: from 0.4 to 4 low-resolution pixels, thin ones more often."""
    return max(1, round(0.4 * 10 ** random.uniform(0, 1) * scale * OVERSAMPLING))


def _curve(points: list[tuple[int, ...]]) -> list[tuple[float, float]]:
    """Return 40 points of a smooth curve through the points."""
    along = np.linspace(0, len(points) - 1, 40)
    x, y = (np.interp(along, range(len(points)), plane) for plane in zip(*points, strict=True))
    smooth = [np.convolve(np.pad(plane, 4, mode="edge"), np.ones(9) / 9, "valid") for plane in (x, y)]
    return [(float(a), float(b)) for a, b in zip(*smooth, strict=True)]


def _halftone(side: int, scale: int, random: np.random.Generator) -> Image.Image:
    """Return smooth tones, printed as dots of one to four inks on paper, or of coloured light on black."""
    big = side * 2
    period = random.uniform(2.5, 8) * scale * 2
    inks, light = int(random.integers(1, 5)), random.random() < 0.3
    page = np.full((big, big, 3), _colour(random) if inks == 1 else 0 if light else 255, np.uint8)
    turn = random.uniform(0, np.pi)
    for number in range(inks):
        tone = _gradient(big, random)
        dots = tone > _dots(big, period, turn + number * np.pi / 6)
        if inks == 1:
            page[dots] = _colour(random)
        elif light:
            page[dots, number % 3] = 255
        else:
            page[dots, number if number < 3 else slice(None)] = 0
    return _turned(Image.fromarray(page).resize((side, side), Image.Resampling.BOX), random)


def _turned(image: Image.Image, random: np.random.Generator) -> Image.Image:
    turns = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    turn = turns[int(random.integers(4))]
    return image if turn is None else image.transpose(turn)


def _dithered(scale: int, patch_px: int, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Return a two-coloured pattern, and each of its pixels repeated, so that both have the same mean."""
    tone = _gradient(patch_px, random)
    kind = int(random.integers(3))
    if kind == 0:
        bits = np.asarray(Image.fromarray((tone * 255).astype(np.uint8)).convert("1"))
    elif kind == 1:
        bits = tone > np.tile(BAYER, (patch_px // 4 + 1, patch_px // 4 + 1))[:patch_px, :patch_px]
    else:
        bits = tone > _screen(patch_px, random)
    dark, light = (np.array(_colour(random) if random.random() < 0.5 else (v,) * 3, dtype=np.uint8) for v in (0, 255))
    low = np.where(bits[..., None], light, dark)
    return low, low.repeat(scale, axis=0).repeat(scale, axis=1)


BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16
"""The thresholds of ordered dithering (Bayer, "An optimum method for two-level rendition", ICC 1973)."""


def _gradient(side: int, random: np.random.Generator) -> Plane:
    corners = Image.fromarray(random.uniform(0, 1, (3, 3)).astype(np.float32))
    smooth = np.asarray(corners.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
    tone: Plane = np.clip(smooth, 0, 1)
    return tone


def _screen(side: int, random: np.random.Generator) -> Plane:
    """Return the thresholds of a halftone of round dots at an angle, in [0, 1]."""
    angle, period = random.uniform(0, np.pi), random.uniform(3, 10)
    return _dots(side, period, angle)


def _dots(side: int, period: float, angle: float) -> Plane:
    """Return the thresholds of round dots, `period` pixels apart: (side, side), in [0, 1]."""
    y, x = np.mgrid[0:side, 0:side]
    u = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
    v = (y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period
    dots: Plane = (np.cos(u) + np.cos(v) + 2) / 4
    return dots


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    if random.random() < 0.4:
        return (0, 0, 0) if random.random() < 0.5 else (255, 255, 255)
    red, green, blue = (int(v) for v in random.integers(0, 256, 3))
    return red, green, blue
