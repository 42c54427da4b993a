"""Pictures of known content, as the low resolution that is upscaled and the truth that the result is compared with.

There are two sets: the rules and thresholds of the choice were set on the first, and the figures of docs/model-choice.md come from
the second. They share no photograph, maker, font or seed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Literal

import numpy as np
from benchmarks.model_choice import makers_for_figures, makers_for_settings, pixel_makers_for_figures
from benchmarks.model_choice.canvas import SIDE_PX, HighMaker, LowMaker
from PIL import Image

from upconv.models.training.data import Pixels, image_paths, load_image
from upconv.models.training.evaluation import middle

SCALES = (1.5, 2, 3, 4, 6, 8)
PictureSet = Literal["settings", "figures"]
HIGH_MAKERS: dict[PictureSet, dict[str, tuple[HighMaker, ...]]] = {
    "settings": makers_for_settings.HIGH_MAKERS,
    "figures": makers_for_figures.HIGH_MAKERS,
}
"""The pictures whose truth is drawn, and whose low resolution is a reduction of it."""
LOW_MAKERS: dict[PictureSet, dict[str, tuple[LowMaker, ...]]] = {
    "settings": makers_for_settings.LOW_MAKERS,
    "figures": pixel_makers_for_figures.LOW_MAKERS,
}
"""The pictures whose every pixel is drawn. The truth shows each as a square."""
_SEEDS: dict[PictureSet, int] = {"settings": 100, "figures": 5000}


@dataclass(frozen=True)
class ContentPicture:
    """One picture at one scale."""

    name: str
    content: str
    """`photograph`, `text`, `line art`, `pixel art`, `halftone` or `dither`."""
    scale: float
    low: Pixels
    """The picture to upscale, (h, w, 3)."""
    truth: Pixels
    """The right result, (`SIDE_PX`, `SIDE_PX`, 3)."""

    @property
    def digest(self) -> str:
        """A name of the pixels, so that a result of another picture of the same name is not taken."""
        return hashlib.sha256(self.low.tobytes() + self.truth.tobytes()).hexdigest()[:12]

    def file(self, quality: int | None) -> bytes:
        """Return the picture as a JPEG file of this quality, or as PNG."""
        buffer = io.BytesIO()
        if quality is None:
            Image.fromarray(self.low).save(buffer, "PNG")
        else:
            Image.fromarray(self.low).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def content_pictures(pictures: PictureSet, photographs: Path, most: int, scale: float) -> Iterator[ContentPicture]:
    """Yield photographs of a folder, evenly chosen, and the generated pictures of a set."""
    paths = image_paths(photographs)
    for number in range(min(most, len(paths))):
        path = paths[number * len(paths) // min(most, len(paths))]
        photograph = middle(load_image(path, sharpen=pictures == "settings"), SIDE_PX)
        if min(photograph.size) == SIDE_PX:
            yield reduced(f"{path.parent.name}/{path.stem}", "photograph", scale, np.asarray(photograph))
    for content, makers in HIGH_MAKERS[pictures].items():
        for number, make in enumerate(makers):
            high = make(np.random.default_rng(_SEEDS[pictures] + number), scale)
            yield reduced(f"{content} {number + 1}", content, scale, high)
    for content, low_makers in LOW_MAKERS[pictures].items():
        for number, make_low in enumerate(low_makers):
            low = make_low(np.random.default_rng(_SEEDS[pictures] + 100 + number), round(SIDE_PX / scale))
            yield ContentPicture(f"{content} {number + 1}", content, scale, low, squares(low))


def reduced(name: str, content: str, scale: float, high: Pixels) -> ContentPicture:
    """Return a picture whose low resolution is made by antialiased bicubic."""
    side = round(SIDE_PX / scale)
    low = np.asarray(Image.fromarray(high).resize((side, side), Image.Resampling.BICUBIC))
    return ContentPicture(name, content, scale, low, high)


def squares(low: Pixels) -> Pixels:
    """Return the picture enlarged to `SIDE_PX` with every pixel as a square.

    If the scale is not whole, a pixel of the result has the mean of the squares below it.
    """
    factor = lcm(SIDE_PX, low.shape[0]) // low.shape[0]
    enlarged = Image.fromarray(low.repeat(factor, 0).repeat(factor, 1))
    return np.asarray(enlarged.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
