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
    """Share of the generated patches that are dithered or halftoned. The others are text and lines."""

    def pair(self, scale: int, patch_px: int, random: np.random.Generator) -> tuple[Pixels, Pixels] | None:
        """Return a pair (low, high): (p, p, 3) and (scale*p, scale*p, 3). Return `None` if it is a photograph's turn.

        The result is the same for the same state of `random`.
        """
        if random.random() >= self.share:
            return None
        if random.random() < self.dithered_share:
            return _dithered(scale, patch_px, random)
        draw = _text if random.random() < 0.6 else _lines
        high = draw(scale * patch_px, random)
        low = high.resize((patch_px, patch_px), Image.Resampling.BICUBIC)
        return np.asarray(low), np.asarray(high)


def _text(side: int, random: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (side * 2, side * 2), _colour(random))
    draw = ImageDraw.Draw(image)
    letters = string.ascii_letters + string.digits + " .,;:!?()&%"
    row = 0
    while row < image.height:
        size = int(random.integers(12, 72))
        font = ImageFont.load_default(size=size)
        line = "".join(random.choice(list(letters), 40))
        draw.text((int(-random.integers(0, size)), row), line, fill=_colour(random), font=font)
        row += int(size * random.uniform(1.0, 1.6))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _lines(side: int, random: np.random.Generator) -> Image.Image:
    big = side * OVERSAMPLING
    image = Image.new("RGB", (big, big), _colour(random))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 14))):
        colour, width = _colour(random), int(random.integers(1, 6)) * OVERSAMPLING
        points = [tuple(int(v) for v in random.integers(-big // 8, big + big // 8, 2)) for _ in range(3)]
        kind = int(random.integers(4))
        if kind == 0:
            draw.line(points, fill=colour, width=width, joint="curve")
        elif kind == 1:
            draw.polygon(points, fill=colour)
        else:
            (left, top), radius = points[0], int(random.integers(big // 16, big // 2))
            shape = draw.ellipse if kind == 2 else draw.rectangle
            shape((left, top, left + radius, top + radius), outline=colour, width=width)
    return image.resize((side, side), Image.Resampling.LANCZOS)


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
