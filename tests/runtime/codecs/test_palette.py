from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.palette import COUNTS
from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Metadata, Picture

Photograph = Callable[[int, int], np.ndarray]


def drawing(colors: int, channels: int, side: int = 40) -> Picture:
    """A picture of exactly this many colours."""
    table = np.unique(np.random.default_rng(1).integers(0, 256, (4 * colors, channels)), axis=0)[:colors].astype(np.uint8)
    numbers = np.random.default_rng(2).permutation(np.arange(side * side) % colors)
    return Picture(table[numbers].reshape(side, side, channels))


@pytest.mark.parametrize(
    ("colors", "channels"),
    [*((colors, channels) for colors in COUNTS for channels in (3, 4)), (2, 2), (4, 2), (16, 2)],
)
def test_a_picture_of_few_colours_is_written_exactly(colors: int, channels: int) -> None:
    source = drawing(colors, channels)
    data, picture = codecs.encode(source, "png", colors=colors)
    assert picture.conversions == ()
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    expected = source.samples if channels > 2 else source.samples[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA" if channels != 3 else "RGB")), expected)
    assert data[24] == {2: 1, 4: 2, 16: 4, 256: 8}[colors], "bits of a pixel"


@pytest.mark.parametrize("colors", [2, 4, 16])
def test_one_colour_more_is_said(colors: int) -> None:
    data, picture = codecs.encode(drawing(colors + 1, 3), "png", colors=colors)
    assert picture.conversions == (f"colours reduced to {colors}",)
    assert len(Image.open(io.BytesIO(data)).convert("RGB").getcolors() or ()) <= colors


def test_each_colour_becomes_one_colour() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    source: Any = np.tile(np.stack([ramp, ramp // 2, 255 - ramp], axis=-1), (64, 1, 1))
    found = codecs.decode(codecs.encode(Picture(source), "png", colors=4)[0]).samples
    pairs = np.unique(np.concatenate([source, found], axis=2).reshape(-1, 6), axis=0)
    assert len(pairs) == 256, "no pixel is dithered"


def test_a_photograph_is_close_in_256_colours(photograph: Photograph) -> None:
    data, picture = codecs.encode(Picture(photograph(60, 60)), "png", colors=256)
    assert picture.conversions == ("colours reduced to 256",)
    assert np.abs(codecs.decode(data).samples.astype(int) - photograph(60, 60)).mean() < 6


@pytest.mark.parametrize(("colors", "bits"), [(2, 1), (4, 2), (16, 4), (256, 8)])
def test_grey_gets_equal_levels(colors: int, bits: int) -> None:
    ramp = Picture(np.tile(np.arange(256, dtype=np.uint8), (4, 1))[..., None])
    data, picture = codecs.encode(ramp, "png", colors=colors)
    assert (data[24], data[25]) == (bits, 0), "bits of a pixel, grey"
    levels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))[0]
    steps = colors - 1
    np.testing.assert_array_equal(levels, np.rint(np.rint(np.arange(256) * steps / 255) * 255 / steps))
    assert picture.conversions == ((f"colours reduced to {colors}",) if colors < 256 else ())
    exact, _ = codecs.encode(Picture(levels[None, :, None].copy()), "png", colors=colors)
    assert codecs.encode(codecs.decode(exact), "png", colors=colors)[1].conversions == ()


def test_sixteen_bits_are_reduced(photograph: Photograph) -> None:
    deep: Any = photograph(20, 20).astype(np.uint16) * 257
    deep[0, 0] += 100
    assert codecs.encode(Picture(deep), "png", colors=256)[1].conversions == ("colours reduced to 256",)


def test_the_metadata_stays() -> None:
    source = Picture(drawing(4, 3).samples, metadata=Metadata(pixels_per_mm=(4.0, 4.0)))
    assert codecs.decode(codecs.encode(source, "png", colors=4)[0]).metadata.pixels_per_mm == (4.0, 4.0)


def test_a_drawing_becomes_much_smaller() -> None:
    plain = Picture(np.kron(drawing(2, 3, 30).samples, np.ones((8, 8, 1), np.uint8)))
    assert len(codecs.encode(plain, "png", colors=2)[0]) < 0.5 * len(codecs.encode(plain, "png")[0])


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "tiff"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name} is not written with 16 colours; choose png"):
        codecs.encode(drawing(2, 3), name, colors=16)
