"""PNG files of few colours: a palette for colour, and few levels for grey."""

from __future__ import annotations

import math
from typing import Any

from upconv.runtime.errors import ParameterError
from upconv.runtime.libvips import pyvips

COUNTS = (2, 4, 16, 256)
"""The numbers of colours to choose from: all that 1, 2, 4 and 8 bits hold."""
_GREY_LEVELS = (2, 4, 16)


def check(name: str, colors: int | None) -> None:
    """Raise `ParameterError` if a format is not written with few colours."""
    if colors is not None and name != "png":
        raise ParameterError(f"{name} is not written with {colors} colours; choose png, or leave out the number of colours")


def reduced(image: Any, colors: int) -> tuple[Any, dict[str, Any]]:
    """Return a libvips image of 8 bits, and the options of libvips' PNG saver that write it with at most `colors` colours.

    Grey without opacity gets equal levels from black to white, and other pictures a palette. Colours are not dithered, because
    that makes lines of drawings rough and their files large.
    """
    if image.format == "ushort":
        image = (image / 257).rint().cast("uchar")
    if image.bands == 1:
        image = image.copy(interpretation="b-w")
        if colors not in _GREY_LEVELS:
            return image, {}
        steps = colors - 1
        levels = ((image * (steps / 255)).rint() * (255 / steps)).cast("uchar").copy(interpretation="b-w")
        return levels, {"bitdepth": int(math.log2(colors))}
    image = image.copy(interpretation="srgb" if image.bands > 2 else "b-w")
    image = image if image.bands > 2 else image.colourspace("srgb")
    return image, {"palette": True, "Q": 100, "dither": 0, "bitdepth": int(math.log2(colors))}


def is_exact(png: bytes, image: Any) -> bool:
    """Return whether a PNG file holds exactly the samples of a libvips image of 8 bits."""
    written = pyvips.Image.pngload_buffer(png, access="sequential")
    if written.bands == image.bands - 1 and image.hasalpha():
        written = written.bandjoin(255)
    if image.bands == 2:
        image = image.colourspace("srgb")
    return written.bands == image.bands and bool((written == image).min() == 255)
