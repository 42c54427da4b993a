"""Pictures to image bytes, saying what the format could not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyvips

from upconv.runtime.codecs import metadata
from upconv.runtime.codecs.failures import reason
from upconv.runtime.codecs.formats import WRITABLE
from upconv.runtime.codecs.profiles import to_srgb
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.options import check_quality
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.resampling import to_image

MAX_SIDE_PX = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "gif": 65_535}
"""Longest side that a format holds, or its encoder writes; the others have no limit that matters."""

PNG_LEVEL = 2
"""zlib's; with the filter `up` the fastest that is small, by `benchmarks/png.py`."""
PNG_FILTERS = {"none": 8, "sub": 16, "up": 32, "average": 64, "paeth": 128, "all": 248}
"""libpng's flags."""

_ALWAYS_RGB = ("webp", "avif", "gif")
"""Formats that libvips writes no grey in."""
_BIG_TIFF_BYTES = 1 << 31


@dataclass(frozen=True)
class _Wish:
    quality: int
    lossless: bool
    keep: int
    """libvips' flags of the metadata to write."""
    bits: int
    """Of a sample, for AVIF."""


def encode(picture: Picture, format: str | None = None, quality: int = 90, *, lossless: bool = False) -> tuple[bytes, Picture]:
    """The picture as a file's bytes, and the picture noting what the format could not hold.

    `quality` counts for JPEG, WebP and AVIF, unless WebP or AVIF are to be `lossless`; PNG and TIFF always are. Raises
    `ParameterError` for a format or quality that is not written, or a picture that is too large for the format.
    """
    name = format or (picture.format if picture.format in WRITABLE else "png")
    if name not in WRITABLE:
        raise ParameterError(f"cannot write {name!r}; expected one of {', '.join(WRITABLE)}")
    check_options(name, quality, lossless)
    check_size(name, picture.width, picture.height)
    image, bits, keep, noted = _fitting(picture, name)
    try:
        data = _SAVERS[name](image, _Wish(quality, lossless, keep, bits))
    except pyvips.Error as error:
        raise ImageError(f"the picture cannot be written as {name}: {reason(error)}") from error
    finish = _FINISHES.get(name)
    return (data if finish is None else finish(data, picture.metadata)), noted


def check_options(name: str, quality: int, lossless: bool) -> None:
    """Raise `ParameterError` for a quality that there is none of, and where `lossless` is more than the format can."""
    check_quality(quality)
    if lossless and name in ("jpeg", "gif"):
        raise ParameterError(f"{name} cannot be lossless; choose png, webp, avif or tiff")


def check_size(name: str, width: int, height: int) -> None:
    """Raise `ParameterError` where a picture of this size cannot be written in the format."""
    most = MAX_SIDE_PX.get(name)
    if most is not None and max(width, height) > most:
        raise ParameterError(
            f"{width}x{height} is too large for {name}, which is written up to {most} pixels a side; choose png"
        )


def fitted(picture: Picture, name: str) -> tuple[Any, Picture]:
    """An image of as many channels and bits as the format holds, and the picture noting what that changed."""
    if picture.color.shape[2] == 1 and name in _ALWAYS_RGB:
        # A profile for grey cannot go with it.
        picture = to_srgb(picture).noting(f"grey written as RGB, as {name} holds no grey")
    elif picture.metadata.icc is not None and name == "gif":
        picture = to_srgb(picture).noting("colours converted to sRGB, as gif holds no profile")
    image = to_image(picture.samples)
    if picture.has_alpha and name == "jpeg":
        image = image.flatten(background=[picture.white] * picture.color.shape[2], max_alpha=picture.white)
        picture = picture.noting("transparency replaced by white, which jpeg cannot hold")
    if picture.samples.dtype == np.uint16 and name in ("jpeg", "webp", "gif"):
        image = (image / 257).rint().cast("uchar")
        image = image.copy(interpretation="srgb" if image.bands > 2 else "b-w")
        picture = picture.noting(f"16 bits reduced to 8, which is what {name} holds")
    return image, picture


def _fitting(picture: Picture, name: str) -> tuple[Any, int, int, Picture]:
    image, picture = fitted(picture, name)
    bits = picture.metadata.bits or 12 if picture.samples.dtype == np.uint16 else 8
    if name == "avif" and bits == 12 and picture.metadata.bits != bits:
        picture = picture.noting("16 bits reduced to 12, which is what avif holds")
    image, keep, picture = metadata.onto(image, picture, name)
    return image, bits, keep, replace(picture, format=name)


def _jpeg(image: Any, wish: _Wish) -> Any:
    # Not with `optimize_coding`: 2 % smaller in three times the time, and libjpeg keeps twelve bytes a pixel for it.
    return image.jpegsave_buffer(Q=wish.quality, keep=wish.keep)


def _png(image: Any, wish: _Wish) -> Any:
    return image.pngsave_buffer(compression=PNG_LEVEL, filter=PNG_FILTERS["up"], keep=wish.keep)


def _webp(image: Any, wish: _Wish) -> Any:
    return image.webpsave_buffer(Q=wish.quality, lossless=wish.lossless, exact=wish.lossless, keep=wish.keep)


def _avif(image: Any, wish: _Wish) -> Any:
    return image.heifsave_buffer(
        compression="av1", Q=wish.quality, lossless=wish.lossless, bitdepth=wish.bits, effort=3, keep=wish.keep
    )


def _tiff(image: Any, wish: _Wish) -> Any:
    size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
    return image.tiffsave_buffer(compression="deflate", predictor="horizontal", bigtiff=size > _BIG_TIFF_BYTES, keep=wish.keep)


_FINISHES: dict[str, Callable[[bytes, Metadata], bytes]] = {"jpeg": metadata.with_density, "png": metadata.with_texts}
"""What libvips leaves out."""
_SAVERS: dict[str, Callable[[Any, _Wish], bytes]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "avif": _avif,
    "tiff": _tiff,
}
