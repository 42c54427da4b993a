from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ParameterError

OTHERS = {
    "a HEIF": b"\0\0\0\x14ftypmif1\0\0\0\0mif1",
    "a JPEG XL": b"\xff\x0a\x00\x10",
    "a PSD": b"8BPS\x00\x01",
    "a PDF": b"%PDF-1.7\n",
    "a PostScript": b"%!PS-Adobe-3.0",
    "an SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "an HTML page": b"<!DOCTYPE html><html><body>404</body></html>",
    "a camera's RAW (CR2)": b"II*\x00\x10\x00\x00\x00CR\x02\x00",
    "a camera's RAW (CR3)": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "a camera's RAW (RAF)": b"FUJIFILMCCD-RAW 0201",
    "an OpenEXR": b"\x76\x2f\x31\x01\x02",
    "a PAM or PFM": b"P7\nWIDTH 2\nHEIGHT 2\n",
    "a video (MP4)": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "a ZIP": b"PK\x03\x04\x14\x00",
    "an ICO": b"\0\0\1\0\1\0\x10\x10",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_refused_by_name(name: str) -> None:
    with pytest.raises(ImageError) as raised:
        codecs.decode(OTHERS[name])
    assert str(raised.value).startswith(f"this is {name}")
    assert str(raised.value).endswith("file; expected jpeg, png, webp, avif, tiff, gif, heic, bmp, tga, pnm, jp2")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "avif"),
        (b"\0\0\0\x14ftypavis\0\0\0\0avis", "avif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heicavif", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avifheic", "avif"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0heic", "heic"),
        (b"\0\0\0\x10ftypmif1\0\0\0\0 and avif comes later", None),
        (b"BM\x36\0\x0c\0\1\0\0\0\x36\0\0\0\x28\0\0\0", "bmp"),
        (b"BM\x36\0\x0c\0\0\0\0\0\x36\0\0\0\x29\0\0\0", None),
        (b"BMW is not a picture", None),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
        (b"\xff\x4f\xff\x51\0", "jp2"),
        (b"P6\n2 2\n255\n", "pnm"),
        (b"P1#2 2\n", "pnm"),
        (b"P7\nWIDTH", None),
        (bytes.fromhex("000002000000000000000000400040001820"), "tga"),
        (bytes.fromhex("000009000000000000000000400040001820"), None),
        (bytes.fromhex("000109000000011800000000400040000820"), "tga"),
        (bytes.fromhex("00000b000000000000000000400040000800"), "tga"),
        (bytes.fromhex("000002000000000000000000400040001860"), None),
        (b"II+\x00\x08\x00\x00\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (b"\xff\xd8\xff\xdb", "jpeg"),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_sniff(head: bytes, name: str | None) -> None:
    assert codecs.sniff(head) == name


@pytest.mark.parametrize(
    ("path", "name"), [("a.JPG", "jpeg"), ("a.b.jfif", "jpeg"), ("a.tif", "tiff"), ("x/y.avif", "avif"), ("a.webp", "webp")]
)
def test_format_of_a_suffix(path: str, name: str) -> None:
    assert codecs.format_of(Path(path)) == name


@pytest.mark.parametrize(
    ("path", "words"), [("a.bmp", "expected a suffix of jpeg"), ("a", "cannot write a:"), ("a.gif", "all frames")]
)
def test_suffixes_that_are_not_written(path: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        codecs.format_of(Path(path))


@pytest.mark.parametrize(
    ("source", "result"), [("heic", "jpeg"), ("bmp", "png"), ("jp2", "png"), ("gif", "png"), ("avif", "avif"), ("", "png")]
)
def test_the_default_format_of_a_result(source: str, result: str) -> None:
    assert codecs.default_result(source) == result
