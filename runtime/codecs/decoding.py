"""Decoding of image files. The header is checked before any pixel is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import (
    avif_boxes,
    cicp,
    color,
    gif_blocks,
    image_header,
    jpeg_quality,
    jpeg_segments,
    metadata,
    pillow_formats,
    png_chunks,
    png_color,
    profiles,
    tiff_pixels,
    tiff_tags,
)
from upconv.runtime.codecs.failures import unreadable
from upconv.runtime.codecs.formats import ANIMATED
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError
from upconv.runtime.libvips import pyvips
from upconv.runtime.options import MAX_PIXELS
from upconv.runtime.picture import ColorCodes, Picture, Samples
from upconv.runtime.resampling import stoppable, to_samples

# Allow only the loaders that libvips considers safe for untrusted files.
pyvips.block_untrusted_set(True)
# Each picture is computed once, so cached operations would only keep the last pictures in memory.
pyvips.cache_set_max(0)

T = TypeVar("T")

_LOADERS: dict[str, Callable[..., Any]] = {
    "jpeg": pyvips.Image.jpegload_buffer,
    "png": pyvips.Image.pngload_buffer,
    "webp": pyvips.Image.webpload_buffer,
    "avif": pyvips.Image.heifload_buffer,
    "tiff": pyvips.Image.tiffload_buffer,
    "gif": pyvips.Image.gifload_buffer,
}
_GAIN_MAP = (b"http://ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496:-1")
_NO_GAIN_MAP = Conversion("gain map")
_HEADERS_BYTES = 1 << 18
_WEBP_HEADERS_BYTES = 1 << 8
_MISSING_PIXELS = ("premature end", "Huffman", "instead of RST", "arithmetic")
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height (EXIF 2.32, page 37)."""
_MOST_CHANNELS = 16
"""Largest number of channels, because more would take too much memory. At most 5 are used."""


def decode(data: bytes, max_pixels: int = MAX_PIXELS, cancellation: Cancellation | None = None) -> Picture:
    """Return the upright picture in the bytes of an image file.

    If the file has several frames or pages, this is the first one.

    Raises `ImageError` if the bytes are not a complete image in one of `FORMATS`, and `ImageTooLargeError`, before
    decoding, if the header states more than `max_pixels` pixels. Raises `Cancelled` soon after a cancellation: at the next rows,
    or at the end of the picture for AVIF, WebP and interlaced PNG. Raises `MachineError` if the machine lacks something.
    """
    name = image_header.check(data, max_pixels)
    if name in pillow_formats.READ:
        image, notes = pillow_formats.opened(data, name, cancellation)
        return _picture(data, name, image, cancellation).noting(*notes)
    return reading(data, name, lambda fail_on: _picture(data, name, opened(data, name, max_pixels, fail_on), cancellation))


def read_size(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return the width and height of the upright picture in pixels, from the header of an image file.

    Raises `ImageError` if the header cannot be read, and `ImageTooLargeError` if it states more than `max_pixels` pixels.
    """
    name = image_header.check(data, max_pixels)
    if name in pillow_formats.READ:
        return pillow_formats.read_size(data, name)
    return reading(data, name, lambda fail_on: _upright_size(opened(data, name, max_pixels, fail_on)))


def reading(data: bytes, name: str, read: Callable[[str], T]) -> T:
    """Return the result of `read(fail_on)`. Raises what `unreadable` returns if libvips cannot read the data."""
    pyvips.vips_lib.vips_error_clear()  # errors of earlier pictures must not appear in the message
    try:
        return _tolerant(read) if name == "jpeg" else read("error")
    except pyvips.Error as error:
        raise unreadable(name, error) from error
    except UnicodeDecodeError as error:  # libvips quotes bytes of the file
        pyvips.vips_lib.vips_error_clear()  # otherwise every later error quotes them again
        raise ImageError(f"the {name} data is damaged or incomplete: the name of one of its parts is invalid") from error


def _tolerant(read: Callable[[str], T]) -> T:
    """Return the result of `read`, and fail if pixels are missing.

    libjpeg only warns of missing pixels, but it also warns of harmless faults.
    """
    try:
        return read("warning")
    except pyvips.Error as error:
        if any(sign in str(error.detail) for sign in _MISSING_PIXELS):
            raise
        return read("error")


def opened(data: bytes, name: str, max_pixels: int, fail_on: str, **options: Any) -> Any:
    """Return a libvips image of the file, whose pixels are not decoded yet.

    Raises `ImageTooLargeError` if it has too many pixels or frames, and `ImageError` if it has too many channels.
    """
    data, added = gif_blocks.with_open_canvas(data) if name == "gif" else (data, 0)
    if added and options.get("n") == -1:
        options = {**options, "n": frames_of(_LOADERS[name](data)) - added}
    data = avif_boxes.with_known_matrix(data) if name == "avif" else data
    image = _LOADERS[name](data, access="sequential", fail_on=fail_on, **options)
    if added:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "n-pages", frames_of(image) - added)
    if name == "png":
        image = metadata.with_late_exif(image, data)
    image_header.check_size(image.width, image.height, max_pixels)
    image_header.check_frames(frames_of(image))
    if image.bands > _MOST_CHANNELS:
        raise ImageError(f"the picture has {image.bands} channels; expected grey or RGB, with or without alpha")
    return image


def frames_of(image: Any) -> int:
    """Return the number of frames or pages in the file of a libvips image."""
    count: int = image.get("n-pages") if image.get_typeof("n-pages") else 1
    return count


def pixels(
    image: Any, cancellation: Cancellation | None, *, upright: bool = True
) -> tuple[Samples, bytes | None, tuple[Conversion, ...]]:
    """Return the samples (H, W, C) of a libvips image, their ICC profile, and the conversions.

    `upright` applies the EXIF orientation.
    """
    converted, notes = color.grey_or_rgb(image)
    converted_to_srgb = image.interpretation not in color.PLAIN
    profile, dropped = (None, ()) if converted_to_srgb else profiles.fitting(converted)
    turned = _upright(converted, cancellation) if upright else converted
    return to_samples(turned, cancellation), profile, (*notes, *dropped)


def _picture(data: bytes, name: str, image: Any, cancellation: Cancellation | None) -> Picture:
    missed = _missed(data, name, image)
    file_metadata, unread = metadata.of(image, data, name)
    corrected, unlike = _as_stated(data, name, image)
    samples, profile, notes = pixels(corrected, cancellation)
    if _NO_GAIN_MAP in missed:
        # The XMP packet states the place and size of the gain map, which the result does not have.
        file_metadata = replace(file_metadata, fields=tuple(field for field in file_metadata.fields if field[0] != "xmp-data"))
    profile, codes, unusable = _color_space(data, name, profile, grey=samples.shape[2] < 3)
    bits = image.get("bits-per-sample") if name in ("avif", "heic") and samples.itemsize == 2 else None
    lossless = name == "webp" and b"VP8L" in data[:_WEBP_HEADERS_BYTES]
    quality = jpeg_quality.estimated_quality(data) if name == "jpeg" else None
    stated = replace(file_metadata, icc=profile, codes=codes, bits=bits, lossless=lossless, jpeg_quality=quality)
    return Picture(samples, name, stated, (*unlike, *notes, *unusable, *missed, *unread))


def _color_space(
    data: bytes, name: str, profile: bytes | None, *, grey: bool
) -> tuple[bytes | None, ColorCodes | None, tuple[Conversion, ...]]:
    """Return the profile and the codes of the colour space that a file states, and the conversions."""
    codes = cicp.codes_of(data, name)
    if profile is not None:  # in PNG the codes go before the profile, in AVIF behind it
        return profile, codes if name == "png" else None, ()
    if codes is not None:
        equal = None if grey else cicp.profile_for(codes)
        return equal, codes if equal is None else None, ()
    if name == "png":
        profile, notes = png_color.profile_of(data, grey=grey)
        return profile, None, notes
    return None, None, ()


def _as_stated(data: bytes, name: str, image: Any) -> tuple[Any, tuple[Conversion, ...]]:
    """Return the libvips image with channels as the file states them, where libvips delivers others, and the conversions."""
    if name == "tiff":
        return tiff_pixels.as_stated(image, data)
    return (avif_boxes.as_stated(image, data) if name == "avif" else image), ()


def _upright_size(image: Any) -> tuple[int, int]:
    turned = image.get_typeof("orientation") and image.get("orientation") in _TURNED
    return (image.height, image.width) if turned else (image.width, image.height)


def _upright(image: Any, cancellation: Cancellation | None) -> Any:
    if not image.get_typeof("orientation") or image.get("orientation") <= 1:
        return image
    with stoppable(image, cancellation) as (stopped, _):
        # Rotation reads the rows in another order than they are decoded, so all must be in memory.
        return stopped.copy_memory().autorot()


def _missed(data: bytes, name: str, image: Any) -> tuple[Conversion, ...]:
    """Return a phrase for each part of the file that the picture does not have."""
    frames, missed = frames_of(image), []
    if name == "png" and b"acTL" in data[:_HEADERS_BYTES].split(b"IDAT", 1)[0]:
        missed.append(Conversion("first frame of png"))
    if frames > 1:
        missed.append(Conversion("first frame" if name in ANIMATED else "first picture", count=frames))
    if name == "jpeg" and any(mark in data[:_HEADERS_BYTES] for mark in _GAIN_MAP):
        missed.append(_NO_GAIN_MAP)
    if name == "jpeg":
        missed.extend(jpeg_segments.unkept(data))
    if name == "png":
        missed.extend(png_chunks.unkept(data))
    if name in ("avif", "heic"):
        missed.extend(avif_boxes.unkept(data))
    if name == "tiff" and tiff_tags.EXIF in tiff_tags.first_directory(data):
        missed.append(Conversion("exif not read"))
    if name == "png" and image.get_typeof("palette"):
        missed.append(Conversion("palette"))
    return tuple(missed)
