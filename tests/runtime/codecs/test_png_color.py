from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from upconv.runtime import codecs
from upconv.runtime.codecs.png_chunks import with_chunks
from upconv.runtime.codecs.png_color import profile_of

SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
WIDE_POINTS = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
"""Display P3."""


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def points(values: tuple[int, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(f">{len(values)}I", *values)


def png(pixels: Any, pillow: Any, *chunks: tuple[bytes, bytes]) -> bytes:
    return with_chunks(pillow(pixels, "PNG"), list(chunks))


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (gamma(45455),),
        (gamma(46455), points(SRGB_POINTS)),
        (points(WIDE_POINTS),),
        ((b"sRGB", b"\0"), gamma(100_000)),
        (gamma(45455), (b"cHRM", bytes(31))),
    ],
)
def test_srgb_needs_no_profile(chunks: tuple[tuple[bytes, bytes], ...], pillow: Any) -> None:
    picture = codecs.decode(png(np.zeros((4, 4, 3), np.uint8), pillow, *chunks))
    assert (picture.metadata.icc, picture.conversions) == (None, ())


@pytest.mark.parametrize("value", [100_000, 55_555, 46_456, 44_454])
def test_a_gamma_becomes_a_profile_of_the_same_colours(value: int, pillow: Any) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (1, 1, 3))
    for format in ("png", "jpeg", "webp", "avif", "tiff"):
        data, noted = codecs.encode(codecs.decode(png(ramp, pillow, gamma(value))), format, quality=100)
        assert (noted.conversions, noted.metadata.icc is not None) == ((), True)
        assert Image.open(io.BytesIO(data)).info["icc_profile"] == noted.metadata.icc
    light = (ramp / 255.0) ** (100_000 / value)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    for picture in (codecs.decode(png(ramp, pillow, gamma(value))), codecs.decode(png(ramp[..., 0], pillow, gamma(value)))):
        found = codecs.to_srgb(picture)
        assert found.conversions == ()
        errors = np.abs(found.samples - expected[..., : found.samples.shape[2]])
        assert errors[:, 16:].max() <= 1.5  # below, the tables of lcms for grey are coarse
        assert errors.mean() <= 0.7


def test_chromaticities_become_a_profile_of_the_same_colours(p3: bytes, pillow: Any) -> None:
    pixels = np.array([[[200, 30, 40], [30, 200, 40], [30, 40, 200], [90, 120, 60]]], np.uint8)
    found = codecs.to_srgb(codecs.decode(png(pixels, pillow, gamma(45455), points(WIDE_POINTS)))).samples
    expected = codecs.to_srgb(codecs.decode(pillow(pixels, "PNG", icc_profile=p3))).samples
    assert np.abs(found.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(
    ("chunks", "notes"),
    [
        ((gamma(0),), ("gAMA dropped, which makes no sense",)),
        ((gamma(999),), ("gAMA dropped, which makes no sense",)),
        ((gamma(1_000_000),), ("gAMA dropped, which makes no sense",)),
        ((gamma(45455), points((0,) * 8)), ("cHRM dropped, which makes no sense",)),
        ((gamma(45455), points((30000, 30000) * 4)), ("cHRM dropped, which makes no sense",)),
        (((b"iCCP", b"x\0\0junk"),), ("damaged colour profile dropped",)),
        (((b"iCCP", b"x\0\0" + zlib.compress(bytes(200))),), ("damaged colour profile dropped",)),
    ],
)
def test_chunks_that_make_no_sense_are_dropped_and_said(
    chunks: tuple[tuple[bytes, bytes], ...], notes: tuple[str, ...], pillow: Any
) -> None:
    picture = codecs.decode(png(np.zeros((4, 4, 3), np.uint8), pillow, *chunks))
    assert (picture.metadata.icc, picture.conversions) == (None, notes)


@pytest.mark.parametrize(("value", "valid"), [(1_000, True), (999, False), (999_999, True), (1_000_000, False)])
def test_the_range_of_gammas(value: int, valid: bool, pillow: Any) -> None:
    assert (profile_of(png(np.zeros((4, 4, 3), np.uint8), pillow, gamma(value)), grey=False)[0] is not None) == valid


def test_a_damaged_profile_leaves_the_gamma(pillow: Any) -> None:
    made = png(np.zeros((4, 4, 3), np.uint8), pillow, (b"iCCP", b"x\0\0junk"), gamma(100_000))
    profile, notes = profile_of(made, grey=False)
    assert notes == ("damaged colour profile dropped",)
    assert profile is not None
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).startswith("gamma and chromaticities")
