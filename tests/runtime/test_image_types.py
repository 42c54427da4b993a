from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime.errors import ParameterError
from upconv.runtime.image_types import convert_like, to_picture


@pytest.mark.parametrize(
    ("mode", "channels", "back"),
    [
        ("L", 1, "L"),
        ("LA", 2, "LA"),
        ("RGB", 3, "RGB"),
        ("RGBA", 4, "RGBA"),
        ("I;16", 1, "I;16"),
        ("1", 1, "L"),
        ("P", 3, "RGB"),
        ("CMYK", 3, "RGB"),
        ("YCbCr", 3, "RGB"),
    ],
)
def test_pil_images_come_back_as_pil_images(mode: str, channels: int, back: str) -> None:
    image = Image.new(mode, (5, 4))
    picture = to_picture(image)
    assert picture.samples.shape == (4, 5, channels)
    assert picture.samples.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    result = convert_like(image, picture)
    assert (result.mode, result.size) == (back, (5, 4))


def test_a_palette_with_transparency_becomes_alpha() -> None:
    image = Image.new("P", (5, 4))
    image.info["transparency"] = 0
    assert to_picture(image).has_alpha


def test_a_profile_is_kept_where_the_colours_are() -> None:
    for mode, kept in (("RGB", True), ("CMYK", False)):
        image = Image.new(mode, (5, 4))
        image.info["icc_profile"] = b"profile"
        assert ("icc_profile" in convert_like(image, to_picture(image)).info) == kept


@pytest.mark.parametrize(
    "source", [None, 7, [[1, 2]], Image.new("F", (2, 2)), Image.new("I", (2, 2)), np.zeros((2, 2), np.float32)]
)
def test_anything_else_is_refused_by_name(source: Any) -> None:
    with pytest.raises(ParameterError, match=r"expected|cannot be upscaled"):
        to_picture(source)


def test_a_grey_array_without_channels_stays_one() -> None:
    grey = np.arange(20, dtype=np.uint16).reshape(4, 5)
    np.testing.assert_array_equal(convert_like(grey, to_picture(grey)), grey)
