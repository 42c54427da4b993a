"""Conversion of a file's colours to grey or RGB samples of 8 or 16 bits."""

from __future__ import annotations

from typing import Any

from upconv.runtime.codecs import profiles
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError

PLAIN = ("b-w", "grey16", "srgb", "rgb", "rgb16", "multiband")
"""libvips' names of the colour spaces that need no conversion."""

_CHANNELS = {"b-w": 1, "grey16": 1, "cmyk": 4}
"""The number of colour channels, if it is not 3."""
_UNKNOWN_RANGE = "the picture holds {} samples, whose range is not known; convert it to 16 bits first"


def grey_or_rgb(image: Any) -> tuple[Any, tuple[Conversion, ...]]:
    """Return the libvips image with 1 to 4 channels of 8 or 16 bits, and the conversions.

    Raises `ImageError` if the range of the samples is not known, or if an unknown colour space has more than 4 channels.
    """
    image, notes = _with_one_extra(_with_known_space(image))
    space, kind = image.interpretation, image.format
    if kind == "uint":
        image, kind = _plain((image >> 16).cast("ushort")), "ushort"
        space, notes = image.interpretation, (*notes, Conversion("fewer bits", bits=32, fewer=16))
    if space in PLAIN and kind in ("uchar", "ushort"):
        return image, notes
    if space == "cmyk" and kind in ("uchar", "ushort"):
        return _from_cmyk(image, notes)
    if space in PLAIN or kind not in ("uchar", "ushort", "short", "float"):
        raise ImageError(_UNKNOWN_RANGE.format(kind))
    return _colorimetric(image, notes)


def _from_cmyk(image: Any, notes: tuple[Conversion, ...]) -> tuple[Any, tuple[Conversion, ...]]:
    if image.get_typeof(profiles.FIELD) and not profiles.is_usable(image.get(profiles.FIELD), channels=4):
        notes = (*notes, Conversion("damaged profile"))
    return profiles.transformed(image, "cmyk"), (*notes, Conversion("cmyk"))


def _with_known_space(image: Any) -> Any:
    """Return the image as grey or RGB if its file does not state the colour space."""
    if image.interpretation != "multiband":
        return image
    if image.bands > 4:
        raise ImageError(f"the picture has {image.bands} channels; expected grey or RGB, with or without alpha")
    return _plain(image)


def _plain(image: Any) -> Any:
    deep, grey = image.format == "ushort", image.bands < 3
    return image.copy(interpretation=("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb"))


def _with_one_extra(image: Any) -> tuple[Any, tuple[Conversion, ...]]:
    """Return the image with at most one channel after the colour, which is opacity."""
    most = _CHANNELS.get(image.interpretation, 3) + 1
    extra = image.bands - most
    if extra <= 0:
        return image, ()
    return image.extract_band(0, n=most), (Conversion("extra channels" if extra > 1 else "extra channel", count=extra),)


def _colorimetric(image: Any, notes: tuple[Conversion, ...]) -> tuple[Any, tuple[Conversion, ...]]:
    if image.bands < 3:
        raise ImageError(_UNKNOWN_RANGE.format(image.format))
    shallow = image.format == "uchar"
    converted = image.colourspace("srgb" if shallow else "rgb16")
    note = Conversion("to srgb", space=image.interpretation, kind=image.format, bits=8 if shallow else 16)
    return converted.cast("uchar" if shallow else "ushort"), (*notes, note)
