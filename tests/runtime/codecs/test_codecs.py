from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ImageTooLargeError, OutputError, ParameterError
from upconv.runtime.picture import Picture

Photograph = Callable[[int, int], np.ndarray]


@pytest.mark.parametrize("name", codecs.WRITABLE)
def test_every_format_comes_back_close(name: str, photograph: Photograph) -> None:
    pixels = photograph(61, 47)
    data, _ = codecs.encode(Picture(pixels), name, quality=95)
    assert codecs.sniff(data) == name
    back = codecs.decode(data)
    assert back.format == name
    assert back.samples.shape == pixels.shape
    assert np.abs(back.samples.astype(int) - pixels).mean() < (0.5 if name in ("png", "tiff") else 6)


@pytest.mark.parametrize("name", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_depth_and_channels_are_kept(name: str, channels: int, depth: type[np.uint8] | type[np.uint16]) -> None:
    samples: Any = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (9, 7, channels), dtype=depth).astype(depth)
    back = codecs.decode(codecs.encode(Picture(samples), name)[0])
    np.testing.assert_array_equal(back.samples, samples)
    assert back.samples.dtype == depth


def test_what_a_format_cannot_hold_is_said(photograph: Photograph) -> None:
    deep = np.dstack([photograph(8, 8), np.full((8, 8), 255)]).astype(np.uint16) * 257
    _, noted = codecs.encode(Picture(deep), "jpeg")
    assert [c.split()[0] for c in noted.conversions] == ["transparency", "16"]


def test_a_picture_is_turned_upright(photograph: Photograph) -> None:
    lying = pyvips.Image.new_from_array(photograph(30, 20)).copy(interpretation="srgb")
    lying.set_type(pyvips.GValue.gint_type, "orientation", 6)
    picture = codecs.decode(lying.jpegsave_buffer(Q=95))
    assert (picture.width, picture.height) == (30, 20)
    again = codecs.decode(codecs.encode(picture)[0])
    assert (again.width, again.height) == (30, 20)


def test_a_picture_without_exif_gets_none(photograph: Photograph) -> None:
    data, _ = codecs.encode(codecs.decode(codecs.encode(Picture(photograph(8, 8)), "png")[0]))
    assert b"eXIf" not in data


def test_profile_and_resolution_are_kept(photograph: Photograph) -> None:
    image = pyvips.Image.new_from_array(photograph(20, 20)).copy(interpretation="srgb", xres=3, yres=3)
    data = image.jpegsave_buffer(profile="p3")
    picture = codecs.decode(data)
    assert picture.metadata.icc is not None
    again = codecs.decode(codecs.encode(picture, "png")[0])
    assert again.metadata.icc == picture.metadata.icc
    assert again.metadata.pixels_per_mm == pytest.approx((3, 3), rel=0.01)


def test_cmyk_becomes_rgb_and_says_so(photograph: Photograph) -> None:
    image = pyvips.Image.new_from_array(photograph(20, 20)).copy(interpretation="srgb")
    picture = codecs.decode(_cmyk(image))
    assert picture.samples.shape == (20, 20, 3)
    assert picture.conversions == ("CMYK converted to sRGB",)


def _cmyk(image: pyvips.Image) -> bytes:
    data: bytes = image.icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(Q=95)
    return data


def test_the_first_frame_of_an_animation_is_taken_and_the_others_are_spoken_of(photograph: Photograph) -> None:
    frames = pyvips.Image.new_from_array(photograph(40, 12)).copy(interpretation="srgb").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 20)
    picture = codecs.decode(frames.gifsave_buffer())
    assert (picture.width, picture.height) == (12, 20)
    assert picture.conversions == ("the first of 2 frames taken",)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: b"just some text", "expected jpeg"),
        (lambda data: data[: len(data) // 2], "damaged or incomplete"),
        (lambda data: data[:20], "damaged or incomplete"),
        (lambda data: b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "expected jpeg"),
    ],
)
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff"])
def test_damaged_files_are_an_error_in_one_sentence(
    name: str, damage: Callable[[bytes], bytes], sentence: str, photograph: Photograph
) -> None:
    data, _ = codecs.encode(Picture(photograph(64, 64)), name)
    with pytest.raises(ImageError, match=sentence) as raised:
        codecs.decode(damage(data))
    assert "\n" not in str(raised.value)


def test_too_many_pixels_are_refused_from_the_header() -> None:
    bomb = pyvips.Image.black(30_000, 30_000).pngsave_buffer(compression=9)
    with pytest.raises(ImageTooLargeError, match="30000x30000"):
        codecs.decode(bomb)


@pytest.mark.parametrize(("format", "quality"), [("bmp", 90), ("gif", 90), ("jpeg", 0), ("jpeg", 101)])
def test_parameters_that_are_not_written_are_refused(format: str, quality: int, photograph: Photograph) -> None:
    with pytest.raises(ParameterError):
        codecs.encode(Picture(photograph(8, 8)), format, quality)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*folder"):
        codecs.write_atomically(tmp_path / "folder", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
