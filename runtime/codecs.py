"""Image bytes to pictures and back, with libvips."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from upconv.runtime.errors import ImageError, ImageTooLargeError, OutputError, ParameterError
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.resampling import to_image, to_samples

# Only loaders that libvips' authors consider safe for files from strangers.
pyvips.block_untrusted_set(True)

FORMATS = ("jpeg", "png", "webp", "avif", "tiff", "gif")
WRITABLE = ("jpeg", "png", "webp", "avif", "tiff")
MEDIA_TYPES = {name: f"image/{name}" for name in FORMATS}
MAX_PIXELS = 100_000_000
"""Largest picture that is decoded where nothing else is said."""

_SUFFIXES = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".avif": "avif",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".gif": "gif",
}
_KEPT_FIELDS = ("exif-", "xmp-data", "iptc-data")


def sniff(data: bytes) -> str | None:
    """The format that the first bytes announce, or none of those that are read."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and b"avi" in data[8:32]:
        return "avif"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "tiff"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    return None


def format_of(path: Path) -> str:
    """The format that a file's suffix names; raises `ParameterError` for one that is not written."""
    name = _SUFFIXES.get(path.suffix.lower())
    if name not in WRITABLE:
        raise ParameterError(f"cannot write {path.name}: expected a suffix of {', '.join(WRITABLE)}")
    return name


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture in an image file's bytes, upright.

    Raises `ImageError` where the bytes are no whole image of a format in `FORMATS`, and `ImageTooLargeError`, before
    decoding, where its header announces more than `max_pixels`.
    """
    name = sniff(data[:64])
    if name is None:
        reason = "it is empty" if not data else f"expected {', '.join(FORMATS)}"
        raise ImageError(f"the data is no image that can be read: {reason}")
    try:
        image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="error")
        if image.width * image.height > max_pixels:
            raise ImageTooLargeError(f"the picture has {image.width}x{image.height} pixels; at most {max_pixels} are allowed")
        return _picture(image, name)
    except pyvips.Error as error:
        raise ImageError(f"the {name} data is damaged or incomplete: {_reason(error)}") from error


def encode(picture: Picture, format: str | None = None, quality: int = 90) -> tuple[bytes, Picture]:
    """The picture as a file's bytes, and the picture noting what the format could not hold.

    `quality` counts for JPEG, WebP and AVIF. Raises `ParameterError` for a format or quality that is not written.
    """
    name = format or (picture.format if picture.format in WRITABLE else "png")
    if name not in WRITABLE:
        raise ParameterError(f"cannot write {name!r}; expected one of {', '.join(WRITABLE)}")
    if not 1 <= quality <= 100:
        raise ParameterError(f"quality must be between 1 and 100, not {quality}")
    image, noted = _fitting(picture, name)
    try:
        # Left to itself, libvips makes up an EXIF block for pictures that had none.
        data: bytes = _SAVERS[name](image, quality, "all" if picture.metadata.fields else "icc")
    except pyvips.Error as error:
        raise ImageError(f"the picture cannot be written as {name}: {_reason(error)}") from error
    return data, noted


def read(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture in a file; raises `ImageError` with the file's name."""
    try:
        return decode(path.read_bytes(), max_pixels)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Put a whole file in place, or leave everything as it was; raises `OutputError` where it cannot be written."""
    try:
        _write(path, data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".upconv-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _picture(image: Any, name: str) -> Picture:
    fields = tuple(
        (field, image.get_typeof(field), image.get(field))
        for field in image.get_fields()
        if field.startswith(_KEPT_FIELDS) and "Orientation" not in field
    )
    image = image.autorot()
    metadata = Metadata(
        icc=image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None,
        pixels_per_mm=(image.xres, image.yres),
        fields=fields,
    )
    image, metadata, conversions = _rgb_or_grey(image, metadata)
    frames = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if frames > 1:
        conversions = (*conversions, f"the first of {frames} frames taken")
    return Picture(to_samples(image), name, metadata, conversions)


def _rgb_or_grey(image: Any, metadata: Metadata) -> tuple[Any, Metadata, tuple[str, ...]]:
    """Grey or RGB in 8 or 16 bits, whatever it was."""
    if image.interpretation in ("b-w", "srgb", "rgb", "rgb16", "grey16") and image.format in ("uchar", "ushort"):
        return image, metadata, ()
    if image.format in ("float", "double") and image.bands < 3:
        raise ImageError(f"the picture is grey in {image.format}, whose range is not known; convert it to 16 bits first")
    without_profile = Metadata(None, metadata.pixels_per_mm, metadata.fields)
    if image.interpretation == "cmyk":
        converted = image.icc_transform("srgb", embedded=True, input_profile="cmyk")
        return converted, without_profile, ("CMYK converted to sRGB",)
    note = f"{image.interpretation} in {image.format} converted to 8-bit sRGB"
    return image.colourspace("srgb").cast("uchar"), without_profile, (note,)


def _fitting(picture: Picture, name: str) -> tuple[Any, Picture]:
    image = to_image(picture.samples).copy(xres=picture.metadata.pixels_per_mm[0], yres=picture.metadata.pixels_per_mm[1])
    if picture.has_alpha and name == "jpeg":
        image = image.flatten(background=[picture.white] * 3, max_alpha=picture.white)
        picture = picture.noting("transparency replaced by white, which jpeg cannot hold")
    if picture.samples.dtype == np.uint16 and name not in ("png", "tiff"):
        image = (image >> 8).cast("uchar")
        image = image.copy(interpretation="srgb" if image.bands > 2 else "b-w")
        picture = picture.noting(f"16 bits reduced to 8, which is what {name} holds")
    image = image.copy()
    if picture.metadata.icc is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", picture.metadata.icc)
    for field, kind, value in picture.metadata.fields:
        image.set_type(kind, field, value)
    if picture.metadata.fields:
        # The pixels are upright by now; the EXIF block would turn them once more.
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image, picture


_SAVERS: dict[str, Callable[[Any, int, str], bytes]] = {
    "jpeg": lambda image, quality, keep: image.jpegsave_buffer(Q=quality, optimize_coding=True, keep=keep),
    "png": lambda image, quality, keep: image.pngsave_buffer(compression=3, keep=keep),
    "webp": lambda image, quality, keep: image.webpsave_buffer(Q=quality, keep=keep),
    "avif": lambda image, quality, keep: image.heifsave_buffer(Q=quality, compression="av1", effort=3, keep=keep),
    "tiff": lambda image, quality, keep: image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=keep),
}


def _reason(error: pyvips.Error) -> str:
    lines = [line.strip() for line in str(error.detail or error.message).splitlines() if line.strip()]
    return lines[0] if lines else "libvips could not read it"
