"""What a file's first bytes announce, looked at before libvips opens it.

libvips and the libraries below it check nearly everything by themselves; here is what they would spend long on, or
what their words for would tell nobody anything.
"""

from __future__ import annotations

from upconv.runtime.codecs import tiff_tags
from upconv.runtime.codecs.formats import FORMATS, HEAD_BYTES, sniff, unread
from upconv.runtime.errors import ImageError, ImageTooLargeError

MAX_FRAMES = 10_000
"""Most frames or pages of a file; libwebp and libtiff take long to count many more."""

_GIF_SIZE = slice(6, 10)
_PNG_SIZE = slice(16, 24)


def check(data: bytes, max_pixels: int) -> str:
    """The format of the data.

    Raises `ImageError` where it is none of those that are read, is a camera's raw file or has no area, and
    `ImageTooLargeError` where it has more frames or larger tiles than are allowed.
    """
    name = sniff(data[:HEAD_BYTES])
    if name is None:
        raise ImageError(unread(data))
    if name == "tiff":
        _check_tiff(data, max_pixels)
    elif name == "webp":
        check_frames(_webp_frames(data))
    elif (name == "png" and _no_area(data[_PNG_SIZE], 4)) or (name == "gif" and _no_area(data[_GIF_SIZE], 2)):
        raise ImageError(f"the {name} data is damaged: a side of the picture is 0 pixels long")
    return name


def check_size(width: int, height: int, max_pixels: int, what: str = "the picture") -> None:
    """Raise `ImageTooLargeError` where this is more than is allowed."""
    if width * height > max_pixels:
        raise ImageTooLargeError(f"{what} has {width}x{height} pixels; at most {max_pixels} are allowed")


def check_frames(count: int) -> None:
    """Raise `ImageTooLargeError` where there are too many to go through."""
    if count > MAX_FRAMES:
        raise ImageTooLargeError(f"the file has over {MAX_FRAMES} frames or pages, which is the most that is read")


def _check_tiff(data: bytes, max_pixels: int) -> None:
    tags = tiff_tags.first_directory(data)
    if tiff_tags.is_raw(tags):
        raise ImageError(f"this is a camera's RAW file (DNG or like); expected {', '.join(FORMATS)}")
    check_size(tags.get(tiff_tags.TILE_WIDTH, 0), tags.get(tiff_tags.TILE_LENGTH, 0), max_pixels, "a tile of the picture")
    check_frames(tiff_tags.count_directories(data, MAX_FRAMES + 1))


def _webp_frames(data: bytes) -> int:
    """ANMF chunks, of which each is counted in 8 bytes and its length (RFC 9649, section 2.7)."""
    count, place = 0, 12
    while place + 8 <= len(data) and count <= MAX_FRAMES:
        count += data[place : place + 4] == b"ANMF"
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return count


def _no_area(sides: bytes, length: int) -> bool:
    return len(sides) == 2 * length and not all(any(sides[n : n + length]) for n in (0, length))
