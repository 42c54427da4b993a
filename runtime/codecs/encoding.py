"""Encoding of pictures to image files.

Properties that a format cannot hold are converted, and the picture records the conversions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import finishing, metadata, palette, small_jpeg
from upconv.runtime.codecs.encoder_process import save
from upconv.runtime.codecs.failures import unwritable
from upconv.runtime.codecs.formats import WRITABLE, default_result
from upconv.runtime.codecs.profiles import LONGEST, to_srgb
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ParameterError
from upconv.runtime.libvips import pyvips
from upconv.runtime.options import check_quality
from upconv.runtime.picture import Picture
from upconv.runtime.resampling import to_image

MAX_SIDE_PX = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "gif": 65_535}
"""Longest side in pixels that the format or its encoder supports. PNG and TIFF have no limit that matters."""

PNG_LEVEL = 2
"""zlib level of PNG. By `benchmarks/png.py`, with the filter `up` it is the fastest that gives small files."""
PNG_FILTERS = {"none": 8, "sub": 16, "up": 32, "average": 64, "paeth": 128, "all": 248}
"""libpng's flags of the row filters."""

_ALWAYS_RGB = ("webp", "avif", "gif")
"""Formats in which libvips cannot write grey."""
_BIG_TIFF_BYTES = 1 << 31
_Saver = tuple[str, dict[str, Any]]
"""The name of a saver of libvips, and its options."""


@dataclass(frozen=True)
class _SaveOptions:
    quality: int
    lossless: bool
    keep: int
    """libvips' flags of the metadata to write."""
    bits: int
    """Bits per sample, for AVIF."""


def encode(
    picture: Picture,
    format: str | None = None,
    quality: int = 90,
    *,
    lossless: bool = False,
    colors: int | None = None,
    cancellation: Cancellation | None = None,
) -> tuple[bytes, Picture]:
    """Return the bytes of an image file, and the picture with the conversions that the format required.

    `format` is one of `WRITABLE`; by default `default_result` of the picture. `quality` from 1
    to 100 applies to JPEG, and to WebP and AVIF unless they are `lossless`. PNG and TIFF are always lossless.
    `colors`, one of `palette.COUNTS`, is the largest number of colours of a PNG file.

    Raises `ParameterError` if the format is not written, does not support the options or cannot hold the size, `Cancelled` soon
    after a cancellation, and what `unwritable` returns if the encoder fails.
    """
    name = format or default_result(picture.format)
    if name not in WRITABLE:
        raise ParameterError(f"cannot write {name!r}; expected one of {', '.join(WRITABLE)}")
    check_options(name, quality, lossless, colors)
    check_size(name, picture.width, picture.height)
    if name == "jpeg" and small_jpeg.suits(picture):
        if cancellation is not None:
            cancellation.check()
        noted = replace(metadata.noted(picture, name), format=name)
        return finishing.finished(small_jpeg.encode(picture, quality), picture, name), noted
    image, bits, keep, noted = _fitting(picture, name, cancellation, lossless=lossless)
    saver, options = _SAVERS[name](image, _SaveOptions(quality, lossless, keep, bits))
    if colors is not None:
        image, few = palette.reduced(image, colors)
        options |= few
    try:
        data = save(image, saver, options, cancellation)
    except pyvips.Error as error:
        raise unwritable("the picture", name, error) from error
    if colors is not None and not palette.is_exact(data, to_image(picture.samples)):
        noted = noted.noting(Conversion("few colours", count=colors))
    return finishing.finished(data, replace(noted, format=picture.format), name), noted


def check_options(name: str, quality: int, lossless: bool, colors: int | None = None) -> None:
    """Raise `ParameterError` if `quality` is not from 1 to 100, or if the format cannot be lossless or of few colours."""
    check_quality(quality)
    palette.check(name, colors)
    if lossless and name in ("jpeg", "gif"):
        raise ParameterError(f"{name} cannot be lossless; choose png, webp, avif or tiff")


def check_size(name: str, width: int, height: int) -> None:
    """Raise `ParameterError` if the format cannot hold a picture of this size."""
    most = MAX_SIDE_PX.get(name)
    if most is not None and max(width, height) > most:
        raise ParameterError(
            f"{width}x{height} is too large for {name}, which is written up to {most} pixels a side; choose png"
        )


def fitted(picture: Picture, name: str, cancellation: Cancellation | None, *, lossless: bool = False) -> tuple[Any, Picture]:
    """Return a libvips image with channels and bits of the format, and the picture with conversions."""
    if picture.metadata.lossless and name == "webp" and not lossless:
        picture = picture.noting(Conversion("webp with loss"))
    if picture.color.shape[2] == 1 and name in _ALWAYS_RGB:
        # A grey profile is not valid for RGB.
        picture = to_srgb(picture, cancellation).noting(Conversion("grey not held", format=name))
    elif picture.metadata.icc is not None and len(picture.metadata.icc) > LONGEST.get(name, len(picture.metadata.icc)):
        key = "long profile not held" if LONGEST[name] else "profile not held"
        picture = to_srgb(picture, cancellation).noting(Conversion(key, format=name))
    image = to_image(picture.samples)
    if picture.has_alpha and name == "jpeg":
        image = image.flatten(background=[picture.white] * picture.color.shape[2], max_alpha=picture.white)
        picture = picture.noting(Conversion("opacity not held", format=name))
    if picture.samples.dtype == np.uint16 and name in ("jpeg", "webp", "gif"):
        image = (image / 257).rint().cast("uchar")
        image = image.copy(interpretation="srgb" if image.bands > 2 else "b-w")
        picture = picture.noting(Conversion("bits not held", bits=picture.metadata.bits or 16, fewer=8, format=name))
    return image, picture


def _fitting(
    picture: Picture, name: str, cancellation: Cancellation | None, *, lossless: bool
) -> tuple[Any, int, int, Picture]:
    image, picture = fitted(picture, name, cancellation, lossless=lossless)
    bits = picture.metadata.bits or 12 if picture.samples.dtype == np.uint16 else 8
    if name == "avif" and bits == 12 and picture.metadata.bits != bits:
        picture = picture.noting(Conversion("bits not held", bits=16, fewer=12, format=name))
    image, keep = metadata.onto(image, picture, name)
    return image, bits, keep, replace(metadata.noted(picture, name), format=name)


def _jpeg(_: Any, options: _SaveOptions) -> _Saver:
    # Without `optimize_coding`: it saves 2 % of the file, takes three times as long and 12 bytes of memory per pixel.
    return "jpegsave_buffer", {"Q": options.quality, "keep": options.keep}


def _png(_: Any, options: _SaveOptions) -> _Saver:
    return "pngsave_buffer", {"compression": PNG_LEVEL, "filter": PNG_FILTERS["up"], "keep": options.keep}


def _webp(_: Any, options: _SaveOptions) -> _Saver:
    lossless = options.lossless
    return "webpsave_buffer", {"Q": options.quality, "lossless": lossless, "exact": lossless, "keep": options.keep}


def _avif(_: Any, options: _SaveOptions) -> _Saver:
    chosen = {"Q": options.quality, "lossless": options.lossless, "bitdepth": options.bits, "keep": options.keep}
    return "heifsave_buffer", {"compression": "av1", "effort": 3, **chosen}


def _tiff(image: Any, options: _SaveOptions) -> _Saver:
    size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
    big = size > _BIG_TIFF_BYTES
    return "tiffsave_buffer", {"compression": "deflate", "predictor": "horizontal", "bigtiff": big, "keep": options.keep}


_SAVERS: dict[str, Callable[[Any, _SaveOptions], _Saver]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "avif": _avif,
    "tiff": _tiff,
}
