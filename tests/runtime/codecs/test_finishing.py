from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.finishing import finished
from upconv.runtime.codecs.png_chunks import chunks, with_chunks
from upconv.runtime.picture import ColorCodes, Metadata, Picture

PIXELS = np.zeros((12, 20, 3), np.uint8)
LIGHT = bytes(8)


def test_hdr_comes_back_as_the_codes_stated_it(pillow: Any) -> None:
    stated = [(b"cICP", bytes([9, 16, 0, 1])), (b"mDCV", bytes(24)), (b"cLLI", LIGHT)]
    picture = codecs.decode(with_chunks(pillow(PIXELS, "PNG"), stated))
    assert picture.metadata.codes == ColorCodes(9, 16)
    data, noted = codecs.encode(picture, "png")
    assert [entry for entry in chunks(data) if entry[0] not in (b"IHDR", b"IEND")] == stated
    assert noted.conversions == ()
    assert codecs.encode(picture, "jpeg")[1].conversions == (
        "HDR data dropped, which jpeg cannot hold",
        "colours in BT.2020 PQ taken as sRGB",
    )


def test_codes_go_before_a_profile_in_png(p3: bytes, pillow: Any) -> None:
    picture = codecs.decode(with_chunks(pillow(PIXELS, "PNG", icc_profile=p3), [(b"cICP", bytes([9, 18, 0, 0]))]))
    assert (picture.metadata.icc, picture.metadata.codes) == (p3, ColorCodes(9, 18, full_range=False))
    data, _ = codecs.encode(picture, "png")
    kinds = [kind for kind, _ in chunks(data)]
    assert {b"iCCP", b"cICP"} <= set(kinds)
    converted = codecs.to_srgb(picture)
    assert (converted.metadata.icc, converted.metadata.codes, converted.conversions) == (None, None, ())


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_exif_states_the_size_of_the_result(format: str, pillow: Any) -> None:
    made = Image.Exif()
    made[0x8769] = {0xA002: 20, 0xA003: 12}
    picture = codecs.decode(pillow(PIXELS, "PNG", exif=made))
    larger = picture.with_samples(np.zeros((24, 40, 3), np.uint8))
    found = Image.open(io.BytesIO(codecs.encode(larger, format)[0])).getexif().get_ifd(0x8769)
    assert (found[0xA002], found[0xA003]) == (40, 24)


@pytest.mark.parametrize(("per_mm", "written"), [(1e-9, 1), (1e9, (1 << 31) - 1)])
def test_the_resolution_stays_within_the_bounds_of_png(per_mm: float, written: int) -> None:
    data, _ = codecs.encode(Picture(PIXELS, metadata=Metadata(pixels_per_mm=(per_mm, per_mm))))
    body = next(body for kind, body in chunks(data) if kind == b"pHYs")
    assert int.from_bytes(body[:4], "big") == written


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff", "gif"])
def test_a_picture_without_metadata_stays_as_libvips_wrote_it(format: str, pillow: Any) -> None:
    data = pillow(PIXELS, format.upper())
    picture = Picture(PIXELS, format)
    assert finished(data, picture, format) == data
    assert finished(data, replace(picture, metadata=Metadata(lossless=True)), format) == data


def test_xmp_is_not_compressed_in_png(pillow: Any) -> None:
    data, _ = codecs.encode(codecs.decode(pillow(PIXELS, "JPEG", xmp=b"<x:xmpmeta/>")), "png")
    assert [body for kind, body in chunks(data) if kind == b"iTXt"] == [b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>"]
    assert Image.open(io.BytesIO(data)).info["xmp"] == b"<x:xmpmeta/>"
