from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvips

from upconv.runtime import codecs
from upconv.runtime.codecs.encoding import MAX_SIDE_PX
from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Picture

Photograph = Callable[[int, int], np.ndarray]
Depth = type[np.uint8] | type[np.uint16]


def deep(pixels: np.ndarray) -> Any:
    return pixels.astype(np.uint16) * 257


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
def test_depth_and_channels_are_kept(name: str, channels: int, depth: Depth) -> None:
    samples: Any = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (9, 7, channels), dtype=depth).astype(depth)
    back = codecs.decode(codecs.encode(Picture(samples), name)[0])
    np.testing.assert_array_equal(back.samples, samples)
    assert back.samples.dtype == depth


@pytest.mark.parametrize(
    ("name", "channels", "depth", "notes"),
    [
        ("jpeg", 1, np.uint8, []),
        ("jpeg", 2, np.uint8, ["transparency replaced by white, which jpeg cannot hold"]),
        ("jpeg", 4, np.uint8, ["transparency replaced by white, which jpeg cannot hold"]),
        ("jpeg", 3, np.uint16, ["16 bits reduced to 8, the most that jpeg can hold"]),
        ("webp", 1, np.uint8, ["grey written as RGB, because webp is always RGB"]),
        ("webp", 4, np.uint16, ["16 bits reduced to 8, the most that webp can hold"]),
        ("avif", 1, np.uint8, ["grey written as RGB, because avif is always RGB"]),
        ("avif", 3, np.uint16, ["16 bits reduced to 12, the most that avif can hold"]),
        ("avif", 4, np.uint8, []),
        ("webp", 4, np.uint8, []),
        ("tiff", 4, np.uint16, []),
        ("png", 2, np.uint16, []),
    ],
)
def test_what_a_format_cannot_hold_is_said(name: str, channels: int, depth: Depth, notes: list[str]) -> None:
    samples: Any = np.full((12, 12, channels), np.iinfo(depth).max // 3, depth)
    data, noted = codecs.encode(Picture(samples), name)
    assert list(noted.conversions) == notes
    back = codecs.decode(data)
    assert back.has_alpha == (channels in (2, 4) and name != "jpeg")
    white = back.white if "transparency" in "".join(notes) else back.white / 3
    if "transparency" in "".join(notes):
        white = back.white * (1 - 2 / 9)  # a third of white at an opacity of a third, on white
    assert abs(float(back.color.mean()) / back.white - white / back.white) < 0.02


def test_bits_are_rounded_and_not_cut() -> None:
    samples = np.array([[[0], [128], [129], [65406], [65407], [65535]]], np.uint16)
    data, _ = codecs.encode(Picture(samples.repeat(3, axis=2)), "webp", lossless=True)
    assert codecs.decode(data).samples[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("name", ["webp", "avif", "png", "tiff"])
def test_lossless_loses_nothing(name: str) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (33, 41, 3)).astype(np.uint8)
    np.testing.assert_array_equal(codecs.decode(codecs.encode(Picture(samples), name, lossless=True)[0]).samples, samples)


def test_lossless_webp_keeps_what_is_under_transparency() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (9, 9, 4)).astype(np.uint8)
    samples[..., 3] = 0
    np.testing.assert_array_equal(codecs.decode(codecs.encode(Picture(samples), "webp", lossless=True)[0]).samples, samples)


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_of_more_bits_keeps_them(bits: int, photograph: Photograph) -> None:
    from upconv.runtime.picture import Metadata

    made, _ = codecs.encode(Picture(deep(photograph(32, 32)), "avif", Metadata(bits=bits)), lossless=True)
    picture = codecs.decode(made)
    assert picture.samples.dtype == np.uint16
    assert picture.metadata.bits == bits
    again, noted = codecs.encode(picture, lossless=True)
    assert noted.conversions == ()
    assert codecs.decode(again).metadata.bits == bits
    assert np.abs(codecs.decode(again).samples.astype(int) - deep(photograph(32, 32))).max() <= 65535 >> (bits - 1)


@pytest.mark.parametrize("name", MAX_SIDE_PX)
def test_sizes_beyond_a_format_are_refused_before_anything_is_computed(name: str) -> None:
    codecs.check_size(name, MAX_SIDE_PX[name], 1)
    with pytest.raises(ParameterError, match=f"too large for {name}.*choose png"):
        codecs.check_size(name, 1, MAX_SIDE_PX[name] + 1)


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_the_longest_side_is_written(name: str) -> None:
    line = Picture(np.zeros((1, MAX_SIDE_PX[name], 3), np.uint8))
    assert codecs.decode(codecs.encode(line, name)[0]).width == MAX_SIDE_PX[name]


@pytest.mark.parametrize(
    ("format", "quality", "lossless"),
    [("bmp", 90, False), ("gif", 90, False), ("jpeg", 0, False), ("jpeg", 101, False), ("jpeg", 90, True)],
)
def test_parameters_that_are_not_written_are_refused(format: str, quality: int, lossless: bool) -> None:
    with pytest.raises(ParameterError):
        codecs.encode(Picture(np.zeros((8, 8, 3), np.uint8)), format, quality, lossless=lossless)


def test_quality_decides_the_size(photograph: Photograph) -> None:
    for name in ("jpeg", "webp", "avif"):
        sizes = [len(codecs.encode(Picture(photograph(64, 64)), name, quality)[0]) for quality in (20, 60, 95)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[2]


@pytest.mark.parametrize(
    ("name", "longest"), [("jpeg", 65_500), ("webp", 16_383), ("avif", 16_384), ("gif", 65_535), ("png", None), ("tiff", None)]
)
def test_the_longest_sides_of_the_table_in_the_documentation(name: str, longest: int | None) -> None:
    codecs.check_size(name, longest or 10**7, 1)
    if longest is not None:
        with pytest.raises(ParameterError, match=f"up to {longest} pixels a side"):
            codecs.check_size(name, 1, longest + 1)


def pixel_data(png: bytes) -> bytes:
    """The chunks IDAT of a PNG, joined."""
    place, found = 8, b""
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        found += png[place + 8 : place + 8 + length] if png[place + 4 : place + 8] == b"IDAT" else b""
        place += 12 + length
    return found


def test_a_png_is_written_with_level_2_and_the_filter_up() -> None:
    y, x = np.mgrid[0:256, 0:256]
    pixels = np.stack([x // 17 * 31 + y // 13 * 7, x * y // 97, x ^ y], axis=-1).astype(np.uint8)
    image = pyvips.Image.new_from_array(pixels)
    written = [pixel_data(image.pngsave_buffer(compression=level, filter="up")) for level in (1, 2, 3)]
    assert len(set(written)) == 3
    data = pixel_data(codecs.encode(Picture(pixels), "png")[0])
    assert data == written[1]
    assert set(zlib.decompress(data)[:: 1 + 3 * 256]) == {2}, "each row begins with the number of its filter"


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_the_quality_is_90_where_none_is_given(name: str, photograph: Photograph) -> None:
    picture = Picture(photograph(32, 32))
    default, lower, same, higher = (codecs.encode(picture, name, *quality)[0] for quality in ((), (89,), (90,), (91,)))
    assert default == same
    assert len({lower, same, higher}) == 3


@pytest.mark.parametrize(("quality", "allowed"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_quality_lies_between_1_and_100(quality: int, allowed: bool) -> None:
    picture = Picture(np.zeros((8, 8, 3), np.uint8))
    if allowed:
        codecs.encode(picture, "jpeg", quality)
    else:
        with pytest.raises(ParameterError, match=f"between 1 and 100, not {quality}"):
            codecs.encode(picture, "jpeg", quality)
