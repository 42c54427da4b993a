"""The size of an image, read from its header before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from upconv.runtime.codecs import decoding, image_header

_TURNED = (5, 6, 7, 8)
"""EXIF orientations by which width and height change places."""


@dataclass(frozen=True)
class ImageSize:
    """Width and height in pixels, upright."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height


def read_size(data: bytes, max_pixels: int) -> ImageSize:
    """Return the size that an image file announces.

    Raises `ImageError` if the header cannot be read and `ImageTooLargeError` if it announces more than `max_pixels`.
    """
    name = image_header.check(data, max_pixels)
    return decoding.reading(data, name, lambda fail_on: _size(decoding.opened(data, name, max_pixels, fail_on)))


def _size(image: Any) -> ImageSize:
    turned = image.get_typeof("orientation") and image.get("orientation") in _TURNED
    return ImageSize(image.height, image.width) if turned else ImageSize(image.width, image.height)
