from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from upconv.runtime.codecs import image_header
from upconv.runtime.errors import ImageTooLargeError


def webp(frames: int) -> bytes:
    """A WebP file of so many empty frames."""
    chunks = b"ANMF\0\0\0\0" * frames
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def tiff(pages: int) -> bytes:
    """A TIFF file of so many directories without entries."""
    following = [8 + 6 * (page + 1) for page in range(pages - 1)] + [0]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, place) for place in following)


@pytest.mark.parametrize("made", [webp, tiff])
def test_ten_thousand_frames_or_pages_are_read(made: Callable[[int], bytes]) -> None:
    assert image_header.check(made(10_000), 1) == made.__name__
    with pytest.raises(ImageTooLargeError, match="over 10000 frames or pages"):
        image_header.check(made(10_001), 1)


@pytest.mark.parametrize(("width", "height", "allowed"), [(10, 10, True), (101, 1, False), (1, 101, False), (100, 1, True)])
def test_a_picture_may_have_as_many_pixels_as_allowed(width: int, height: int, allowed: bool) -> None:
    if allowed:
        image_header.check_size(width, height, 100)
    else:
        with pytest.raises(ImageTooLargeError, match=f"{width}x{height} pixels; at most 100 are allowed"):
            image_header.check_size(width, height, 100)
