from __future__ import annotations

from collections.abc import Callable

import pytest
import pyvips

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ImageTooLargeError
from upconv.service import header
from upconv.service.header import Size


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_size(encoded: Callable[..., bytes], format: str) -> None:
    assert header.size(encoded(format), 240) == Size(20, 12)


def test_turned() -> None:
    image = pyvips.Image.black(20, 12, bands=3).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    data = image.jpegsave_buffer()
    picture = codecs.decode(data)
    assert header.size(data, 240) == Size(12, 20) == Size(picture.width, picture.height)


def test_bad(encoded: Callable[..., bytes]) -> None:
    with pytest.raises(ImageError, match="damaged or incomplete"):
        header.size(b"\x89PNG\r\n\x1a\n", 240)
    with pytest.raises(ImageTooLargeError, match="20x12 pixels; at most 239"):
        header.size(encoded(), 239)
