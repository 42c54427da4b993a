from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Metadata, Picture

A = (Conversion("gain map"),)
FIELDS = (("exif-data", 1, b"Exif"), ("xmp-data", 1, b"<x/>"))


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((4, 5), np.uint8, r"shape .* got \(4, 5\)"),
        ((4, 5, 0), np.uint8, r"1 to 4 channels\), got \(4, 5, 0\)"),
        ((4, 5, 5), np.uint8, r"1 to 4 channels\), got \(4, 5, 5\)"),
        ((0, 5, 3), np.uint8, r"got \(0, 5, 3\)"),
        ((4, 0, 3), np.uint8, r"got \(4, 0, 3\)"),
        ((4, 5, 3), np.float32, "uint8 or uint16, got float32"),
        ((4, 5, 3), np.int16, "uint8 or uint16, got int16"),
    ],
)
def test_other_arrays_are_refused(shape: tuple[int, ...], dtype: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        Picture(np.zeros(shape, dtype))


@pytest.mark.parametrize(("channels", "colors", "alpha"), [(1, 1, False), (2, 1, True), (3, 3, False), (4, 3, True)])
def test_the_number_of_channels_decides_colour_and_opacity(channels: int, colors: int, alpha: bool) -> None:
    samples = np.arange(4 * 5 * channels, dtype=np.uint8).reshape(4, 5, channels)
    picture = Picture(samples)
    assert (picture.height, picture.width, picture.has_alpha) == (4, 5, alpha)
    np.testing.assert_array_equal(picture.color, samples[..., :colors])
    if picture.alpha is None:
        assert not alpha
    else:
        np.testing.assert_array_equal(picture.alpha, samples[..., channels - 1 :])


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_white_is_the_largest_sample(dtype: Any, white: int) -> None:
    assert Picture(np.zeros((1, 1, 1), dtype)).white == white


def test_conversions_are_appended_to_a_copy() -> None:
    picture = Picture(np.zeros((1, 1, 1), np.uint8), conversions=A)
    b, c = Conversion("palette"), Conversion("cmyk")
    assert picture.noting(b, c).conversions == (*A, b, c)
    assert picture.noting().conversions == picture.conversions == A


def test_other_samples_keep_the_rest() -> None:
    picture = Picture(np.zeros((1, 1, 1), np.uint8), "webp", Metadata(icc=b"p"), A)
    other = picture.with_samples(np.ones((2, 3, 3), np.uint16))
    assert (other.format, other.metadata, other.conversions) == ("webp", Metadata(icc=b"p"), A)
    assert (other.height, other.width, other.white) == (2, 3, 65535)


@pytest.mark.parametrize(("before", "after"), [(None, None), ((4.0, 5.0), (8.0, 15.0))])
def test_the_printed_size_stays(before: tuple[float, float] | None, after: tuple[float, float] | None) -> None:
    metadata = Metadata(icc=b"p", pixels_per_mm=before, fields=FIELDS, bits=10)
    assert metadata.denser(2, 3) == Metadata(icc=b"p", pixels_per_mm=after, fields=FIELDS, bits=10)


def test_stripping_removes_all_but_profile_resolution_and_bits() -> None:
    metadata = Metadata(icc=b"p", pixels_per_mm=(4.0, 5.0), fields=FIELDS, bits=10)
    assert metadata.stripped() == Metadata(icc=b"p", pixels_per_mm=(4.0, 5.0), fields=(), bits=10)
