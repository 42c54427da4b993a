from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs import decoder_process, pillow_formats
from upconv.runtime.errors import ImageError, ImageTooLargeError
from upconv.runtime.install_hints import install_command

Encoded = Callable[..., bytes]
FORMATS = {"bmp": "BMP", "tga": "TGA", "pnm": "PPM", "jp2": "JPEG2000", "heic": "HEIF"}


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if name == "heic":
        pillow_heif.from_pillow(image).save(buffer, **options)
    else:
        image.save(buffer, FORMATS[name], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_the_size_is_known_from_the_header(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (70, 66)), name)
    monkeypatch.setattr(pillow_formats, "decoded_apart", None)
    monkeypatch.setattr(pillow_formats, "_decoded_here", None)
    assert codecs.sniff(data) == name
    assert codecs.read_size(data, 70 * 66) == (70, 66)
    for read in (codecs.read_size, codecs.decode):
        with pytest.raises(ImageTooLargeError, match="70x66 pixels; at most 4619 are allowed"):
            read(data, 70 * 66 - 1)


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_are_read_and_become_a_format_that_is_written(name: str, photograph: Any) -> None:
    picture = codecs.decode(encoded(Image.fromarray(photograph(64, 80)), name))
    assert picture.format == name
    assert np.abs(picture.samples.astype(int) - photograph(64, 80)).mean() < 8, "HEIC is coded with loss"
    data, written = codecs.encode(picture)
    assert codecs.sniff(data) == written.format == ("jpeg" if name == "heic" else "png")


def test_a_turned_heic_is_upright_and_its_exif_says_so(photograph: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(photograph(64, 96))
    image.info["exif"] = exif.tobytes()
    data = encoded(image, "heic")
    picture = codecs.decode(data)
    assert (picture.width, picture.height) == codecs.read_size(data)
    assert b"irot" in data
    ((_, _, block),) = (field for field in picture.metadata.fields if field[0] == "exif-data")
    plain = Image.Exif()
    plain.load(b"Exif\0\0" + block.removeprefix(b"Exif\0\0"))
    assert plain.get(0x0112, 1) == 1


def test_ten_bits_stay_where_the_format_holds_them(photograph: Any) -> None:
    deep = photograph(64, 64).astype(np.uint16) * 257
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (64, 64), deep.tobytes()).save(buffer)
    picture = codecs.decode(buffer.getvalue())
    assert (picture.samples.itemsize, picture.metadata.bits) == (2, 10)
    assert codecs.encode(picture, "avif")[1].conversions == ()
    assert codecs.encode(picture)[1].conversions == ("10 bits reduced to 8, the most that jpeg can hold",)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (64, 64)), "heic")
    monkeypatch.setattr(pillow_formats, "find_spec", lambda _: None)
    with pytest.raises(ImageError, match=rf"this is a HEIC file; install .*: {re.escape(install_command('heic'))}"):
        codecs.decode(data)


@pytest.mark.parametrize(
    ("name", "options", "apart"),
    [("heic", {}, True), ("jp2", {}, True), ("bmp", {}, False), ("tga", {"compression": "tga_rle"}, False), ("pnm", {}, False)],
)
def test_only_risky_decoders_have_a_process(
    name: str, options: dict[str, Any], apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(Image.new("RGB", (64, 64)), name, **options)
    monkeypatch.setattr(decoder_process, "_PROGRAM", "/nowhere")
    if apart:
        with pytest.raises(ImageError, match="its decoder ended with status 2"):
            codecs.decode(data)
    else:
        assert codecs.decode(data).width == 64


def test_texts_of_numbers_are_parsed_apart() -> None:
    assert codecs.decode(b"P2 2 1 4\n0 4\n").samples.ravel().tolist() == [0, 255]


def test_the_resolution_of_bmp_is_kept() -> None:
    picture = codecs.decode(encoded(Image.new("RGB", (2, 2)), "bmp", dpi=(300, 300)))
    assert picture.metadata.pixels_per_mm == pytest.approx((11.81, 11.81), abs=0.01)
    assert codecs.decode(encoded(Image.new("RGB", (2, 2)), "tga")).metadata.pixels_per_mm is None


def test_multiplied_colours_are_divided() -> None:
    half = Image.new("RGBA", (64, 64), (200, 100, 50, 128))
    file = pillow_heif.from_pillow(half)
    file.premultiplied_alpha = True
    buffer = io.BytesIO()
    file.save(buffer, quality=-1)
    assert b"prem" in buffer.getvalue()
    found = codecs.decode(buffer.getvalue()).samples[32, 32]
    assert found[:3].max() == 255, "200 of an opacity of 128 is more than all"
    assert found[3] == 128
