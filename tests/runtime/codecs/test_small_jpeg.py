from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from upconv.runtime.codecs import metadata, profiles, small_jpeg
from upconv.runtime.codecs.jpeg_segments import segments
from upconv.runtime.picture import Samples
from upconv.runtime.resampling import to_image

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x78\0\x07caption\0"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KEEP = 8 | metadata.KEEP["XMP"] | metadata.KEEP["IPTC"]


def noisy(height: int, width: int, channels: int) -> Samples:
    random = np.random.default_rng(height * width)
    smooth = np.linspace(0, 200, width)[None, :, None] + random.integers(0, 56, (height, width, channels))
    return smooth.astype(np.uint8)


def with_fields(image: Any, fields: dict[str, bytes]) -> Any:
    image = image.copy()
    for name, value in fields.items():
        image.set_type(pyvips.GValue.blob_type, name, value)
    return image


def saved(image: Any, quality: int, keep: int = KEEP) -> tuple[bytes, bytes]:
    """Return the file by Pillow and that by libvips."""
    options = {"Q": quality, "keep": keep}
    assert small_jpeg.suits(image, "jpegsave_buffer", options)
    return small_jpeg.save(image, options), image.jpegsave_buffer(**options)


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (128, 128)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [1, 75, 89, 90, 100])
def test_the_pixels_are_those_of_libvips(size: tuple[int, int], channels: int, quality: int) -> None:
    ours, theirs = saved(to_image(noisy(*size, channels)), quality)
    assert ours[ours.index(b"\xff\xda") :] == theirs[theirs.index(b"\xff\xda") :]
    with Image.open(io.BytesIO(ours)) as first, Image.open(io.BytesIO(theirs)) as second:
        assert (first.mode, first.size) == (second.mode, second.size)
        assert np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("keep", [8, KEEP])
def test_the_segments_are_those_of_libvips(keep: int) -> None:
    image = with_fields(to_image(noisy(20, 30, 3)), {metadata.XMP: XMP, metadata.IPTC: IPTC, profiles.FIELD: PROFILE})
    ours, theirs = (
        {(marker, body) for marker, body in segments(file) if 0xE0 <= marker <= 0xEF} for file in saved(image, 90, keep)
    )
    assert ours == theirs
    assert {marker for marker, _ in ours} == ({0xE1, 0xE2, 0xED} if keep == KEEP else {0xE2})


@pytest.mark.parametrize(("length", "suits"), [(65_533 - 29, True), (65_533 - 28, False)])
def test_metadata_longer_than_a_segment_do_not_suit(length: int, suits: bool) -> None:
    image = with_fields(to_image(noisy(9, 9, 3)), {metadata.XMP: bytes(length)})
    assert small_jpeg.suits(image, "jpegsave_buffer", {"Q": 90, "keep": KEEP}) == suits
    assert small_jpeg.suits(image, "jpegsave_buffer", {"Q": 90, "keep": 8}), "they are not written"


@pytest.mark.parametrize(("height", "suits"), [(1024, True), (1025, False)])
def test_only_small_pictures_suit(height: int, suits: bool) -> None:
    image = pyvips.Image.black(1024, height, bands=3)
    assert small_jpeg.suits(image, "jpegsave_buffer", {"Q": 90, "keep": 8}) == suits
    assert not small_jpeg.suits(image, "pngsave_buffer", {"keep": 8})
