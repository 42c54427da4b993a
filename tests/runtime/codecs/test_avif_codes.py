from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.avif_codes import with_codes
from upconv.runtime.codecs.cicp import codes_of
from upconv.runtime.codecs.encoder_process import APART_PX
from upconv.runtime.errors import ImageError
from upconv.runtime.picture import ColorCodes, Metadata, Picture

PQ = ColorCodes(9, 16)
Photograph = Callable[[int, int], np.ndarray]


@pytest.mark.parametrize("height", [32, APART_PX // 64 + 2])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("exif", [False, True])
def test_codes_come_back_and_pixels_stay(
    height: int, deep: bool, alpha: bool, lossless: bool, exif: bool, photograph: Photograph
) -> None:
    pixels = photograph(height, 64)
    pixels = np.dstack([pixels, pixels[..., 0]]) if alpha else pixels
    samples = pixels.astype(np.uint16) * 257 if deep else pixels
    fields = (("exif-data", 0, bytes.fromhex("49492a0008000000 0100 4746 0300 0100000005000000 00000000")),) if exif else ()
    plain, _ = codecs.encode(Picture(samples, metadata=Metadata(fields=fields)), "avif", lossless=lossless)
    data, noted = codecs.encode(Picture(samples, metadata=Metadata(codes=PQ, fields=fields)), "avif", lossless=lossless)
    back = codecs.decode(data)
    assert (back.metadata.codes, codes_of(data, "avif")) == (PQ, PQ)
    assert "colours" not in " ".join(noted.conversions)
    np.testing.assert_array_equal(back.samples, codecs.decode(plain).samples)
    read, other = (Image.open(io.BytesIO(file)) for file in (data, plain))
    np.testing.assert_array_equal(read, other)
    assert (read.getexif().get(0x4647), back.metadata.fields) == (
        (5, codecs.decode(plain).metadata.fields) if exif else (None, ())
    )


def test_a_narrow_range_is_not_written_and_said(photograph: Photograph) -> None:
    codes = ColorCodes(9, 16, full_range=False)
    data, noted = codecs.encode(Picture(photograph(16, 16), metadata=Metadata(codes=codes)), "avif")
    assert (noted.conversions, codecs.decode(data).metadata.codes) == (("colours in BT.2020 PQ taken as sRGB",), None)


@pytest.mark.parametrize("name", [b"iprp", b"ipco", b"ipma", b"iloc"])
def test_boxes_of_another_kind_are_refused(name: bytes, photograph: Photograph) -> None:
    plain, _ = codecs.encode(Picture(photograph(16, 16)), "avif")
    with pytest.raises(ImageError, match="boxes of another kind; choose png"):
        with_codes(plain.replace(name, b"free"), PQ)
