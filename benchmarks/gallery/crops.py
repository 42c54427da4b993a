"""The six crops: four of photographs, which come with the project and with scikit-image, and two that are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage
from benchmarks.model_choice.canvas import SIDE_PX
from benchmarks.model_choice.makers_for_settings import sprites
from benchmarks.model_choice.pictures import squares
from PIL import Image, ImageDraw, ImageFont

from upconv.models.training.data import Pixels, load_image, low_high
from upconv.models.training.degradation import jpeg

CROP_PX = 72
"""The side of a crop, in pixels of the original."""

_OURS = Path(__file__).parents[2] / "tests" / "data"
_OF_SCIKIT_IMAGE = Path(skimage.__file__).parent / "data"
_SUPERSAMPLED = 4


@dataclass(frozen=True)
class GalleryCrop:
    """One picture at one scale, and the part of it that is shown."""

    name: str
    low: Pixels
    """The whole picture to enlarge, (h, w, 3)."""
    high: Pixels
    """The whole original, (scale*h, scale*w, 3)."""
    left: int
    """The first column that is shown, in pixels of the original."""
    top: int
    """The first row that is shown."""

    def of(self, enlarged: Pixels) -> Pixels:
        """Return the part (`CROP_PX`, `CROP_PX`, 3) of an enlarged picture."""
        return enlarged[self.top : self.top + CROP_PX, self.left : self.left + CROP_PX]


def crops(scale: int) -> tuple[GalleryCrop, ...]:
    """Return the six crops at one scale. The low resolution is made by antialiased bicubic, except that of the pixel art."""
    coffee = _photograph("coffee, JPEG 75", _OF_SCIKIT_IMAGE / "coffee.png", scale, 324, 216)
    return (
        _photograph("flower", _OURS / "flower.jpg", scale, 276, 168),
        _photograph("rocket", _OURS / "rocket.jpg", scale, 36, 132),
        _photograph("face", _OF_SCIKIT_IMAGE / "astronaut.png", scale, 180, 84),
        replace(coffee, low=jpeg(coffee.low, 75)),
        GalleryCrop("text and lines", *low_high(text_and_lines(), scale), 0, 0),
        pixel_art(scale),
    )


def _photograph(name: str, path: Path, scale: int, left: int, top: int) -> GalleryCrop:
    return GalleryCrop(name, *low_high(load_image(path, sharpen=False), scale), left, top)


def text_and_lines() -> Image.Image:
    """Return two lines of coloured text above line art."""
    image = Image.new("RGB", (2 * CROP_PX * _SUPERSAMPLED,) * 2, (255, 250, 235))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(19 * _SUPERSAMPLED)
    for top, words, ink in ((0, "Red fox, 38 km", (190, 20, 30)), (18, "blue 24 h, 7 m", (20, 50, 190))):
        draw.text((3 * _SUPERSAMPLED, top * _SUPERSAMPLED), words, ink, font)
    for radius in (6, 13, 20, 27):
        box = [(middle + side * radius) * _SUPERSAMPLED for side in (-1, 1) for middle in (36, 70)]
        draw.ellipse(box, None, (20, 20, 20), 2 * _SUPERSAMPLED)
    for left in (0, 8, 16):
        draw.line([at * _SUPERSAMPLED for at in (left, 72, left + 12, 44)], (10, 110, 50), round(1.5 * _SUPERSAMPLED))
    return image.resize((2 * CROP_PX,) * 2, Image.Resampling.BOX)


def pixel_art(scale: int) -> GalleryCrop:
    """Return sprites whose every pixel is drawn. Their original shows each as a square."""
    low = sprites(8, 2)(np.random.default_rng(204), SIDE_PX // scale)
    return GalleryCrop("pixel art", low, squares(low), 0, 0)
