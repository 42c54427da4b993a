from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.encoder_process import APART_PX
from upconv.runtime.codecs.exif_storage import with_exif
from upconv.runtime.picture import Picture

Photograph = Callable[[int, int], np.ndarray]
BLOCK = bytes.fromhex("49492a0008000000 0100 4746 0300 0100000005000000 00000000")


def read(data: bytes) -> tuple[Any, Image.Image]:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.info.get("exif", b"").removeprefix(b"Exif\0\0"), image


@pytest.mark.parametrize("odd", [b"", b"\0"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("xmp", [False, True])
def test_webp_of_every_kind(odd: bytes, alpha: bool, lossless: bool, xmp: bool, pillow: Any, photograph: Photograph) -> None:
    pixels = np.dstack([photograph(21, 33), np.full((21, 33), 99, np.uint8)]) if alpha else photograph(21, 33)
    plain = pillow(pixels, "WEBP", lossless=lossless, **({"xmp": b"<packet/>"} if xmp else {}))
    made = with_exif(plain, "webp", BLOCK + odd)
    block, image = read(made)
    assert (block, image.size, image.mode) == (BLOCK + odd, (33, 21), "RGBA" if alpha else "RGB")
    assert image.info.get("xmp") == (b"<packet/>" if xmp else None)
    np.testing.assert_array_equal(image, read(plain)[1])
    assert int.from_bytes(made[4:8], "little") == len(made) - 8
    np.testing.assert_array_equal(codecs.decode(made).samples, codecs.decode(plain).samples)


@pytest.mark.parametrize("format", ["jpeg", "png"])
@pytest.mark.parametrize("dpi", [None, (300, 300)])
def test_jpeg_and_png(format: str, dpi: tuple[int, int] | None, pillow: Any, photograph: Photograph) -> None:
    plain = pillow(photograph(21, 33), format, **({"dpi": dpi} if dpi else {}))
    block, image = read(with_exif(plain, format, BLOCK))
    assert block == BLOCK
    np.testing.assert_array_equal(image, read(plain)[1])


@pytest.mark.parametrize("pixels", [32 * 40, APART_PX + 256])
@pytest.mark.parametrize("alpha", [False, True])
def test_avif_of_every_size(pixels: int, alpha: bool, pillow: Any, photograph: Photograph) -> None:
    height = pixels // 128
    made = photograph(height, 128)
    made = np.dstack([made, made[..., 0]]) if alpha else made
    picture = codecs.decode(pillow(made, "PNG", exif=BLOCK))
    data, noted = codecs.encode(picture, "avif")
    block, image = read(data)
    assert (block, image.size, noted.conversions) == (BLOCK, (128, height), ())
    back = codecs.decode(data)
    assert [value for name, _, value in back.metadata.fields if name == "exif-data"] == [BLOCK]
    plain = codecs.encode(Picture(picture.samples), "avif")[0]
    np.testing.assert_array_equal(back.samples, codecs.decode(plain).samples)
    assert "exif" not in read(plain)[1].info
