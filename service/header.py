"""What a picture's first bytes say of it, read before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upconv.runtime.codecs import decoding, headers

_TURNED = (5, 6, 7, 8)
"""EXIF orientations by which width and height change places."""


@dataclass(frozen=True)
class Size:
    """In pixels, upright."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


def size(data: bytes, max_pixels: int) -> Size:
    """The size that an image file announces.

    Raises `ImageError` where its header cannot be read and `ImageTooLargeError` where it announces more than `max_pixels`.
    """
    name = headers.check(data, max_pixels)
    return decoding.reading(data, name, lambda fail_on: _size(decoding.opened(data, name, max_pixels, fail_on)))


def _size(image: Any) -> Size:
    turned = image.get_typeof("orientation") and image.get("orientation") in _TURNED
    return Size(image.height, image.width) if turned else Size(image.width, image.height)
