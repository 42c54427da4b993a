from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs import metadata
from upconv.runtime.codecs.exif_storage import with_exif
from upconv.runtime.codecs.png_chunks import chunks, with_chunks
from upconv.runtime.picture import Metadata, Picture

Pillow = Callable[..., bytes]
PIXELS = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def exif(orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[0x0112], made[0x010F] = orientation, "Maker"
    made[0x011A] = made[0x011B] = 300.0
    made[0x0128] = 2
    made[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    return made


def with_thumbnail(thumbnail: bytes) -> bytes:
    """Return an EXIF block with an orientation, and a second directory with a thumbnail."""
    first = struct.pack("<HHHIHHI", 1, 0x112, 3, 1, 6, 0, 26)
    entries = [(0x103, 3, 1, 6), (0x201, 4, 1, 26 + 2 + 36 + 4), (0x202, 4, 1, len(thumbnail))]
    second = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + thumbnail


def through(data: bytes, format: str, change: Callable[[Picture], Picture] = lambda picture: picture) -> tuple[bytes, Picture]:
    return codecs.encode(change(codecs.decode(data)), format)


def read_back(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_goes_along_and_says_upright(source: str, format: str, pillow: Pillow) -> None:
    data, noted = through(pillow(PIXELS, source, exif=exif()), format)
    found = read_back(data).getexif()
    assert noted.conversions == ()
    assert found[0x010F] == "Maker"
    assert found.get(0x0112, 1) == 1
    assert found.get_ifd(0x8825)[1] == "N"
    assert read_back(data).size == (40, 60)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(40, 60), (700, 300)])
def test_every_orientation_is_applied(orientation: int, shape: tuple[int, int], pillow: Pillow) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[: shape[0] // 4, : shape[1] // 2] = (250, 40, 40)
    data = pillow(pixels, "PNG", exif=exif(orientation))
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(codecs.decode(data).samples, expected)


def test_the_thumbnail_of_the_old_picture_goes(pillow: Pillow) -> None:
    thumbnail = pillow(np.full((8, 8, 3), 99, np.uint8), "JPEG")
    data = pillow(PIXELS, "JPEG", exif=with_thumbnail(thumbnail))
    assert thumbnail in data
    written, _ = through(data, "jpeg")
    assert thumbnail[20:] not in written
    assert b"Exif" in written


def test_xmp_says_upright_too(pillow: Pillow) -> None:
    for format in ("jpeg", "png", "webp", "avif", "tiff"):
        data, _ = through(pillow(PIXELS, "JPEG", xmp=XMP, exif=exif()), format)
        kept = codecs.decode(data).metadata.fields
        assert [b'tiff:Orientation="1"' in value for name, _, value in kept if name == "xmp-data"] == [True], format


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_in_xmp_alone_turns_nothing_and_stays(source: str, pillow: Pillow) -> None:
    options: dict[str, Any] = {"xmp": XMP}
    if source == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    made = pillow(PIXELS, source, **options)
    assert codecs.decode(made).samples.shape == PIXELS.shape
    assert b'tiff:Orientation="6"' in through(made, source.lower())[0]


@pytest.mark.parametrize("format", codecs.WRITABLE)
def test_only_what_was_there_is_written(format: str, pillow: Pillow) -> None:
    for picture in (pillow(PIXELS, "PNG"), pillow(PIXELS, "JPEG"), pillow(PIXELS, "WEBP", xmp=XMP)):
        data, noted = through(picture, format)
        assert not any(field.startswith("exif") for field, _, _ in codecs.decode(data).metadata.fields)
        assert noted.conversions == ()


@pytest.mark.parametrize(
    ("source", "options", "format", "notes"),
    [
        ("JPEG", {"exif": exif()}, "tiff", ["EXIF dropped, which tiff cannot hold"]),
        ("PNG", {"text": True}, "webp", ["text dropped, which webp cannot hold"]),
        ("PNG", {"dpi": (300, 300)}, "webp", ["resolution dropped, which webp cannot hold"]),
        ("PNG", {"dpi": (300, 300)}, "avif", ["resolution dropped, which avif cannot hold"]),
        ("TIFF", {"description": "a picture"}, "png", ["description dropped, which png cannot hold"]),
    ],
)
def test_what_a_format_cannot_hold_is_said(
    source: str, options: dict[str, Any], format: str, notes: list[str], pillow: Pillow
) -> None:
    if options.pop("text", None):
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Title", "a title")
    _, noted = through(pillow(PIXELS, source, **options), format)
    assert list(noted.conversions) == notes


def test_texts_and_descriptions_are_kept_where_they_came_from(pillow: Pillow) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", "steps: 20")
    assert read_back(through(pillow(PIXELS, "PNG", pnginfo=info), "png")[0]).info["parameters"] == "steps: 20"
    data, _ = through(pillow(PIXELS, "TIFF", description="a picture"), "tiff")
    assert tifffile.TiffFile(io.BytesIO(data)).pages.first.description == "a picture"


def test_texts_of_other_encodings_stay_as_they_are(pillow: Pillow) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("Title", "Größe 日本")
    info.add_itxt("Comment", "plain")
    found = read_back(through(pillow(PIXELS, "PNG", pnginfo=info), "png")[0]).info
    assert (found["Title"], found["Comment"]) == ("Größe 日本", "plain")


def test_exif_of_other_encodings_stays_as_it_is(pillow: Pillow) -> None:
    made = exif()
    made[0x013B] = "Mueller"
    data = pillow(PIXELS, "JPEG", exif=made).replace(b"Mueller", "Müller ".encode("latin-1"))
    assert "Müller ".encode("latin-1") in through(data, "jpeg")[0]


@pytest.mark.parametrize(("keyword", "text"), [("Title", "Größe"), ("Größe", "10 cm")])
def test_texts_in_latin_1_stay(keyword: str, text: str, pillow: Pillow) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(keyword, text)
    info.add_text("long", "word " * 500, zip=True)
    data, noted = through(pillow(PIXELS, "PNG", pnginfo=info, exif=exif()), "png")
    assert noted.conversions == ()
    assert [read_back(data).info[name] for name in (keyword, "long")] == [text, "word " * 500]
    assert read_back(data).getexif()[0x010F] == "Maker"


def test_a_description_that_cannot_be_read_is_dropped_and_said() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, PIXELS, description=b"Gr\xf6\xdfe", metadata=None, photometric="rgb")
    assert through(buffer.getvalue(), "tiff")[1].conversions == ("description in another encoding than UTF-8 dropped",)


def behind_the_pixels(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    return png[:-12] + with_chunks(bytes(33), list(chunks))[33:] + png[-12:]


def test_metadata_behind_the_pixels_of_png(pillow: Pillow) -> None:
    block = exif().tobytes().removeprefix(b"Exif\0\0")
    made = behind_the_pixels(pillow(PIXELS, "PNG"), (b"tEXt", b"Comment\0hello"), (b"eXIf", block))
    picture = codecs.decode(made)
    assert codecs.read_size(made) == (picture.width, picture.height) == (40, 60)
    image = read_back(codecs.encode(picture)[0])
    assert (image.info["Comment"], image.getexif()[0x010F], image.getexif()[0x0112]) == ("hello", "Maker", 1)


def test_an_empty_block_is_no_block(pillow: Pillow) -> None:
    made = with_exif(pillow(PIXELS, "WEBP"), "webp", b"")
    assert codecs.decode(made).metadata == Metadata()


def test_comments_of_jpeg_stay(pillow: Pillow) -> None:
    made = pillow(PIXELS, "JPEG", comment=b"a comment")
    assert read_back(through(made, "jpeg")[0]).info["comment"] == b"a comment"
    assert through(made, "png")[1].conversions == ("comment dropped, which png cannot hold",)


@pytest.mark.parametrize("length", [65_520, 65_529])
def test_exif_that_is_too_long_for_jpeg_is_dropped_and_said(length: int, pillow: Pillow) -> None:
    long = exif()
    long[0x927C] = bytes(length)
    long[0x927C] = bytes(length - (len(long.tobytes()) - 6 - length))
    made = pillow(PIXELS, "WEBP", exif=long.tobytes())
    data, noted = through(made, "jpeg")
    kept = length <= 65_527
    assert noted.conversions == (() if kept else ("EXIF dropped, which jpeg cannot hold",))
    assert (0x010F in read_back(data).getexif()) == kept
    assert through(made, "png")[1].conversions == ()


@pytest.mark.parametrize(
    "chunk", [None, (b"pHYs", struct.pack(">IIB", 2834, 2834, 1)), (b"pHYs", struct.pack(">IIB", 2, 2, 0))]
)
def test_png_states_the_resolution_that_it_stated(chunk: tuple[bytes, bytes] | None, pillow: Pillow) -> None:
    def doubled(picture: Picture) -> Picture:
        return replace(picture, metadata=picture.metadata.denser(2, 2))

    made = with_chunks(pillow(PIXELS, "PNG"), [chunk] if chunk else [])
    found = [body for kind, body in chunks(through(made, "png", doubled)[0]) if kind == b"pHYs"]
    assert found == ([struct.pack(">IIB", 5668, 5668, 1)] if chunk and chunk[1][-1] else [])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif"])
def test_no_resolution_is_made_up(format: str, target: str, pillow: Pillow) -> None:
    made = Image.Exif()
    made[0x010F] = "Maker"
    data, _ = through(pillow(PIXELS, format, exif=made), target)
    found = read_back(data)
    assert dict(found.getexif()) == {0x010F: "Maker"}
    assert "dpi" not in found.info or found.info["dpi"] == (72, 72)  # Pillow's own, of JPEG with EXIF
    assert "jfif_density" not in found.info


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
def test_the_resolution_grows_with_the_picture(source: str, format: str, pillow: Pillow) -> None:
    def doubled(picture: Picture) -> Picture:
        return replace(picture, metadata=picture.metadata.denser(2, 2))

    data, _ = through(pillow(PIXELS, source, dpi=(150, 150)), format, doubled)
    assert float(read_back(data).info["dpi"][0]) == pytest.approx(300, abs=0.5)
    assert b"Exif" not in data


@pytest.mark.parametrize("source", ["WEBP", "AVIF"])
def test_the_resolution_in_exif_grows_as_well(source: str, pillow: Pillow) -> None:
    def doubled(picture: Picture) -> Picture:
        return replace(picture, metadata=picture.metadata.denser(2, 2))

    data, _ = through(pillow(PIXELS, source, exif=exif()), source.lower(), doubled)
    assert read_back(data).getexif()[0x011A] == pytest.approx(600, abs=0.5)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_a_file_that_states_no_resolution_has_none(source: str, pillow: Pillow) -> None:
    assert codecs.decode(pillow(PIXELS, source)).metadata.pixels_per_mm is None


def test_stripped_metadata_keeps_colours_and_size(pillow: Pillow, p3: bytes) -> None:
    data = pillow(PIXELS, "JPEG", exif=exif(), xmp=XMP, icc_profile=p3, dpi=(300, 300))
    written, noted = through(data, "jpeg", lambda picture: replace(picture, metadata=picture.metadata.stripped()))
    image = read_back(written)
    assert (dict(image.getexif()), image.info["icc_profile"], image.info["dpi"]) == ({}, p3, (300, 300))
    assert b"xmpmeta" not in written
    assert noted.conversions == ()


def test_iptc_stays_within_its_format() -> None:
    image = pyvips.Image.new_from_array(PIXELS).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "iptc-data", b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x78\0\x05hello")
    data = image.jpegsave_buffer(keep=metadata.HELD and 4)
    assert b"hello" in through(data, "jpeg")[0]
    assert through(data, "tiff")[1].conversions == ("IPTC dropped, which tiff cannot hold",)


def test_the_gain_map_of_an_hdr_picture_is_dropped_and_said(pillow: Pillow) -> None:
    xmp = XMP.replace(
        b"tiff:Orientation", b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" tiff:Orientation'
    )
    picture = codecs.decode(pillow(PIXELS, "JPEG", xmp=xmp))
    assert picture.conversions == ("HDR gain map dropped",)
    assert picture.metadata == Metadata()
