"""The meaning of a TIFF file's channels, where libvips does not heed its tags (TIFF 6.0, sections 16, 18 and 21)."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv.runtime.codecs import tiff_tags
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError

_GREY = (0, 1)
_RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB = 2, 3, 5, 6, 8
_LOGLUV = (32844, 32845)
_READ = (*_GREY, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB, *_LOGLUV)
_NAMES = {4: "a mask", 9: "ICC L*a*b*", 10: "ITU L*a*b*"}
_OLD_JPEG, _JPEG = 6, 7
_SEPARATE = 2
_OPACITIES = (1, 2)
"""Values of ExtraSamples that mean opacity. 0 is unspecified, such as a saved selection."""
_COLORS = {"b-w": 1, "grey16": 1, "grey": 1, "cmyk": 4}
"""The number of colour channels by libvips' name of the colour space, if it is not 3."""
_BT601 = (0.299, 0.587, 0.114)
_FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def check(tags: dict[int, int]) -> None:
    """Raise `ImageError` if the tags state a compression or a colour space that libvips reads wrongly."""
    if tags.get(tiff_tags.COMPRESSION) == _OLD_JPEG:
        raise ImageError("the tiff data is of a kind that is not read: old-style JPEG; convert it to another compression first")
    space = tags.get(tiff_tags.PHOTOMETRIC, _RGB)
    if space not in _READ:
        name = _NAMES.get(space, f"the colour space {space}")
        raise ImageError(f"the tiff data is of a kind that is not read: {name}; convert it to RGB first")
    several = tags.get(tiff_tags.SAMPLES_PER_PIXEL, 1) > 1
    if space in (*_GREY, _PALETTE) and several and tags.get(tiff_tags.PLANES) == _SEPARATE:
        # libvips reads the planes as if they were one.
        raise ImageError("the tiff data is of a kind that is not read: grey in separate planes; save it with one plane first")
    if space == _CMYK and tags.get(tiff_tags.INK_SET, 1) != 1:
        raise ImageError("the tiff data is of a kind that is not read: inks other than CMYK; convert it to RGB first")


def as_stated(image: Any, data: bytes) -> tuple[Any, tuple[Conversion, ...]]:
    """Return the libvips image of a TIFF file without YCbCr and without channels of other meanings, and the conversions.

    Raises `ImageError` if YCbCr has more than 8 bits.
    """
    tags = tiff_tags.first_directory(data)
    colors = _COLORS.get(image.interpretation, 3)
    if tags.get(tiff_tags.PHOTOMETRIC) == _YCBCR:
        # Of subsampled pictures, libtiff gives RGB with opacity, which the file does not hold.
        return (_from_ycbcr(image, data, tags) if image.bands == 3 else image.extract_band(0, n=3)), ()
    extra = image.bands - colors
    return _with_opacity(image, colors, tiff_tags.integers(data, tiff_tags.EXTRA_SAMPLES)) if extra > 0 else (image, ())


def _with_opacity(image: Any, colors: int, kinds: tuple[int, ...]) -> tuple[Any, tuple[Conversion, ...]]:
    extra = image.bands - colors
    # Files of one extra channel without the tag, which TIFF demands, come from writers of opacity; libtiff takes it so, too.
    kinds = kinds or _OPACITIES[:1] * (extra == 1)
    opacity = next((number for number, kind in enumerate(kinds[:extra]) if kind in _OPACITIES), None)
    kept = image.extract_band(0, n=colors)
    if opacity is not None:
        kept, extra = kept.bandjoin(image[colors + opacity]).copy(interpretation=image.interpretation), extra - 1
    return kept, (Conversion("extra channels" if extra > 1 else "extra channel", count=extra),) if extra else ()


def _from_ycbcr(image: Any, data: bytes, tags: dict[int, int]) -> Any:
    """Return RGB, by the equations of TIFF 6.0, pages 91 to 93. JPEG data are RGB already."""
    if tags.get(tiff_tags.COMPRESSION) == _JPEG:
        return image
    if image.format != "uchar":
        raise ImageError("the tiff data is of a kind that is not read: YCbCr of more than 8 bits; convert it to RGB first")
    red, green, blue = tiff_tags.rationals(data, tiff_tags.YCBCR_COEFFICIENTS, 3) or _BT601
    levels = tiff_tags.rationals(data, tiff_tags.REFERENCE_BLACK_WHITE, 6) or _FULL_RANGE
    black, white = np.array(levels[::2]), np.array(levels[1::2])
    if not green or not (white - black).all():
        raise ImageError("the tiff data is damaged or incomplete: its YCbCr coefficients are 0")
    from_cb, from_cr = 2 - 2 * blue, 2 - 2 * red
    equations = np.array([[1, 0, from_cr], [1, -from_cb * blue / green, -from_cr * red / green], [1, from_cb, 0]])
    matrix = equations * np.array([255, 127, 127]) / (white - black)
    offsets = -matrix @ black
    return (image.recomb(matrix.tolist()) + offsets.tolist()).rint().cast("uchar").copy(interpretation="srgb")
