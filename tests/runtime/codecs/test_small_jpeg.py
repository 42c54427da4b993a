from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from upconv.runtime.codecs import encoding, metadata, small_jpeg
from upconv.runtime.codecs.jpeg_segments import segments
from upconv.runtime.picture import Metadata, Picture, Samples

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x78\0\x07caption\0"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BLOB = pyvips.GValue.blob_type


def noisy(height: int, width: int, channels: int) -> Samples:
    random = np.random.default_rng(height * width)
    smooth = np.linspace(0, 200, width)[None, :, None] + random.integers(0, 56, (height, width, channels))
    return smooth.astype(np.uint8)


def by_both(picture: Picture, quality: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """Return the file by Pillow and that by libvips."""
    assert small_jpeg.suits(picture)
    ours, noted = encoding.encode(picture, "jpeg", quality)
    monkeypatch.setattr(small_jpeg, "MOST_PX", 0)
    theirs, others = encoding.encode(picture, "jpeg", quality)
    assert (noted.format, noted.conversions) == (others.format, others.conversions)
    return ours, theirs


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (128, 128)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [1, 75, 89, 90, 100])
def test_the_pixels_are_those_of_libvips(
    size: tuple[int, int], channels: int, quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = by_both(Picture(noisy(*size, channels)), quality, monkeypatch)
    assert ours[ours.index(b"\xff\xda") :] == theirs[theirs.index(b"\xff\xda") :]
    with Image.open(io.BytesIO(ours)) as first, Image.open(io.BytesIO(theirs)) as second:
        assert (first.mode, first.size) == (second.mode, second.size)
        assert np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_the_segments_are_those_of_libvips(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = ((metadata.XMP, BLOB, XMP), (metadata.IPTC, BLOB, IPTC), (metadata.COMMENT, BLOB, b"hello"))
    stated = Metadata(icc=PROFILE, pixels_per_mm=(10, 20), fields=fields)
    files = by_both(Picture(noisy(20, 30, 3), format, stated), 90, monkeypatch)
    ours, theirs = ({part for part in segments(file) if part[0] >= 0xE0} for file in files)
    assert ours == theirs
    assert {marker for marker, _ in ours} == {0xE0, 0xE1, 0xE2, 0xFE} | ({0xED} if format == "jpeg" else set())


@pytest.mark.parametrize(("field", "kind", "most"), [(metadata.XMP, "XMP", 65_533 - 29), (metadata.IPTC, "IPTC", 65_533)])
@pytest.mark.parametrize("more", [0, 1])
def test_metadata_longer_than_a_segment_are_dropped_and_said(
    field: str, kind: str, most: int, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = Metadata(fields=((field, BLOB, bytes(most + more)),))
    picture = Picture(noisy(9, 9, 3), "jpeg", stated)
    said = (f"{kind} dropped, which jpeg cannot hold",) if more else ()
    assert encoding.encode(picture, "jpeg")[1].conversions == said
    for file in by_both(picture, 90, monkeypatch):
        assert sum(len(body) > 60_000 for _, body in segments(file)) == 1 - more


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("most_px", [small_jpeg.MOST_PX, 0])
def test_a_profile_that_jpeg_cannot_number_becomes_srgb_and_is_said(
    more: int, most_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_jpeg, "MOST_PX", most_px)
    length = 255 * 65_519 + more
    profile = length.to_bytes(4, "big") + PROFILE[4:] + bytes(length - len(PROFILE))
    data, noted = encoding.encode(Picture(noisy(9, 9, 3), metadata=Metadata(icc=profile)), "jpeg")
    said = "colours converted to sRGB, because jpeg cannot hold a profile of this length"
    assert noted.conversions == ((said,) if more else ())
    with Image.open(io.BytesIO(data)) as image:
        assert image.info.get("icc_profile") == (None if more else profile)


@pytest.mark.parametrize(("height", "suits"), [(1024, True), (1025, False)])
def test_only_small_pictures_suit(height: int, suits: bool) -> None:
    assert small_jpeg.suits(Picture(np.zeros((height, 1024, 1), np.uint8))) == suits


@pytest.mark.parametrize("samples", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3), np.uint16)])
def test_opacity_and_more_bits_do_not_suit(samples: Samples) -> None:
    assert not small_jpeg.suits(Picture(samples))
