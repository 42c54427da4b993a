"""Formats that libvips' wheel does not read: HEIC, BMP, TGA, PNM and JPEG 2000. Pillow and pillow-heif read them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.canvas import new_canvas
from upconv.runtime.codecs import avif_boxes, decoder_program
from upconv.runtime.codecs.decoder_process import decoded_apart
from upconv.runtime.codecs.decoder_program import Decoded
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError, machine_error
from upconv.runtime.install_hints import install_command
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import Samples
from upconv.runtime.resampling import to_image

READ = ("heic", *decoder_program.PLUGINS)
"""The formats that this module reads."""

_MM = 25.4
_MOST_DPI = 100_000
"""Higher resolutions are those of damaged files."""
_APART = ("heic", "jp2")
_PLAIN_PNM = (b"P1", b"P2", b"P3")
_PLAIN_WORDS = {
    "not identified by this driver": "its header is invalid",
    "buffer is smaller than requested size": "its data breaks off",
}
"""Plain messages for those of Pillow and numpy that do not help a user."""
_UNCOMPRESSED_BMP = (0, 3, 6)
"""Values of BITMAPINFOHEADER.biCompression: plain RGB, and with masks."""


def check(name: str) -> None:
    """Raise `ImageError` if the package that reads a format is not installed."""
    if name == "heic" and find_spec("pillow_heif") is None:
        raise ImageError(f"this is a HEIC file; install the package that reads it: {install_command('heic')}")


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Return the width and height of the upright picture, from the header. Raises `ImageError` if the header is damaged."""
    try:
        size = avif_boxes.upright_size(data) if name == "heic" else decoder_program.pillow_file(data, name).size
    except Exception as error:
        raise _unreadable(name, error) from error
    if size is None or min(size) < 1:
        raise ImageError(f"the {name} data is damaged: a side of the picture is 0 pixels long")
    return int(size[0]), int(size[1])


def opened(data: bytes, name: str, cancellation: Cancellation | None) -> tuple[Any, tuple[Conversion, ...]]:
    """Return a libvips image of the upright picture with its metadata, and the conversions.

    Raises `ImageError` if the picture cannot be decoded, and what `decoded_apart` raises.
    """
    size = read_size(data, name)
    if _is_risky(data, name):
        found, samples = decoded_apart(data, name, size, cancellation)
    else:
        found, samples = _decoded_here(data, name, size)
    image = to_image(samples)
    if found.premultiplied:
        image = image.unpremultiply(max_alpha=65535 if found.deep else 255).rint().cast(image.format)
    image = image.copy(interpretation=_space(found))
    for field, blob in found.blobs:
        image.set_type(pyvips.GValue.blob_type, field, blob)
    image.remove("orientation")  # libvips reads it from EXIF, but the pixels are upright
    if found.dpi is not None and min(found.dpi) > 0 and max(found.dpi) < _MOST_DPI:
        image = image.copy(xres=found.dpi[0] / _MM, yres=found.dpi[1] / _MM)
        image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
    if found.bits is not None:
        image.set_type(pyvips.GValue.gint_type, "bits-per-sample", found.bits)
    return image, tuple(Conversion(key, **values) for key, values in found.notes)


def _space(found: Decoded) -> str:
    grey = found.shape[2] < 3
    return ("grey16" if grey else "rgb16") if found.deep else ("b-w" if grey else "srgb")


def _decoded_here(data: bytes, name: str, size: tuple[int, int]) -> tuple[Decoded, Samples]:
    try:
        found = decoder_program.decode(data, name, size[0] * size[1])
        canvas, top = new_canvas(found.shape, "uint16" if found.deep else "uint8"), 0
        for block in found.blocks():
            canvas.write(top, 0, block)
            top += block.shape[0]
    except Exception as error:
        raise machine_error(error, f"the {name} data cannot be read") or _unreadable(name, error) from error
    return found, canvas.samples()


def _is_risky(data: bytes, name: str) -> bool:
    """Return whether the decoder may crash, or runs in Python and may take long."""
    packed = name == "bmp" and data[14] >= 40 and int.from_bytes(data[30:34], "little") not in _UNCOMPRESSED_BMP
    return name in _APART or packed or data[:2] in _PLAIN_PNM


def _unreadable(name: str, error: Exception) -> ImageError:
    said = " ".join(str(error).split())
    reason = _PLAIN_WORDS.get(said, said)[:200] or type(error).__name__
    return ImageError(f"the {name} data is damaged or of a kind that is not read: {reason}")
