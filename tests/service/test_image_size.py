from __future__ import annotations

from collections.abc import Callable

import pytest
import pyvips

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ImageTooLargeError
from upconv.service.image_size import ImageSize, read_size


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_size(encoded: Callable[..., bytes], format: str) -> None:
    assert read_size(encoded(format), 240) == ImageSize(20, 12)


def test_turned() -> None:
    image = pyvips.Image.black(20, 12, bands=3).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    data = image.jpegsave_buffer()
    picture = codecs.decode(data)
    assert read_size(data, 240) == ImageSize(12, 20) == ImageSize(picture.width, picture.height)


def test_bad(encoded: Callable[..., bytes]) -> None:
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_size(b"\x89PNG\r\n\x1a\n", 240)
    with pytest.raises(ImageTooLargeError, match="20x12 pixels; at most 239"):
        read_size(encoded(), 239)
