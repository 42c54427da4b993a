"""Checks of a file's header before libvips opens the file.

libvips and its libraries check nearly everything themselves. These checks cover files on which they spend a long time,
and files for which their messages do not help a user.
"""

from __future__ import annotations

from upconv.runtime.codecs import pillow_formats, tiff_pixels, tiff_tags
from upconv.runtime.codecs.formats import FORMATS, HEAD_BYTES, sniff, unread
from upconv.runtime.errors import ImageError, ImageTooLargeError

MAX_FRAMES = 10_000
"""Largest number of frames or pages of a file; libwebp and libtiff are slow to count many more."""

_GIF_SIZE = slice(6, 10)
_PNG_SIZE = slice(16, 24)


def check(data: bytes, max_pixels: int) -> str:
    """Check the header of an image file and return its format.

    Raises `ImageError` if the format is not read, the file is a camera's raw file, or a side has 0 pixels, and
    `ImageTooLargeError` if the file has too many frames or too large tiles.
    """
    name = sniff(data[:HEAD_BYTES])
    if name is None:
        raise ImageError(unread(data))
    if name == "tiff":
        _check_tiff(data, max_pixels)
    elif name in pillow_formats.READ:
        pillow_formats.check(name)
        check_size(*pillow_formats.read_size(data, name), max_pixels)
    elif name == "webp":
        check_frames(_webp_frames(data))
    elif (name == "png" and _no_area(data[_PNG_SIZE], 4)) or (name == "gif" and _no_area(data[_GIF_SIZE], 2)):
        raise ImageError(f"the {name} data is damaged: a side of the picture is 0 pixels long")
    return name


def check_size(width: int, height: int, max_pixels: int, what: str = "the picture") -> None:
    """Raise `ImageTooLargeError` if `width` x `height` exceeds `max_pixels`.

    `what` is the subject of the message.
    """
    if width * height > max_pixels:
        raise ImageTooLargeError(f"{what} has {width}x{height} pixels; at most {max_pixels} are allowed")


def check_frames(count: int) -> None:
    """Raise `ImageTooLargeError` if a file has more than `MAX_FRAMES` frames or pages."""
    if count > MAX_FRAMES:
        raise ImageTooLargeError(f"the file has over {MAX_FRAMES} frames or pages, which is the limit")


def _check_tiff(data: bytes, max_pixels: int) -> None:
    tags = tiff_tags.first_directory(data)
    if tiff_tags.is_raw(tags):
        raise ImageError(f"this is a camera's RAW file (DNG or similar); expected {', '.join(FORMATS)}")
    tiff_pixels.check(tags)
    check_size(tags.get(tiff_tags.TILE_WIDTH, 0), tags.get(tiff_tags.TILE_LENGTH, 0), max_pixels, "a tile of the picture")
    check_frames(tiff_tags.count_directories(data, MAX_FRAMES + 1))


def _webp_frames(data: bytes) -> int:
    """Return the number of ANMF chunks, counted up to one beyond the limit (RFC 9649, section 2.7)."""
    count, place = 0, 12
    while place + 8 <= len(data) and count <= MAX_FRAMES:
        count += data[place : place + 4] == b"ANMF"
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return count


def _no_area(sides: bytes, length: int) -> bool:
    return len(sides) == 2 * length and not all(any(sides[n : n + length]) for n in (0, length))
