"""What a picture's first bytes say of it, read before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from upconv.runtime.errors import ImageError, ImageTooLargeError, first_line

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


def size(data: bytes) -> Size:
    """The size that an image file announces; raises `ImageError` where its header cannot be read."""
    try:
        image = pyvips.Image.new_from_buffer(data, "", access="sequential")
        turned = image.get_typeof("orientation") and image.get("orientation") in _TURNED
        return Size(image.height, image.width) if turned else Size(image.width, image.height)
    except pyvips.Error as error:
        raise ImageError(f"the image is damaged or incomplete: {first_line(error)}") from error


def limit(size: Size, max_pixels: int) -> None:
    """Raise `ImageTooLargeError` for a picture of more pixels than allowed."""
    if size.pixels > max_pixels:
        raise ImageTooLargeError(f"the picture has {size.width}x{size.height} pixels; at most {max_pixels} are allowed")
