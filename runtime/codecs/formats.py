"""Image formats: their first bytes, their suffixes, and formats that are recognised but not read."""

from __future__ import annotations

import re
from pathlib import Path

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import ImageFormat

FORMATS = ("jpeg", "png", "webp", "avif", "tiff", "gif")
"""Formats that are read."""
WRITABLE = ("jpeg", "png", "webp", "avif", "tiff")
"""Formats in which a single picture is written."""
ANIMATED = ("webp", "gif")
"""Formats in which animations are read and written."""
MEDIA_TYPES = {name: f"image/{name}" for name in FORMATS}
"""Media types of HTTP, by format."""
SUFFIXES: dict[str, ImageFormat] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".apng": "png",
    ".webp": "webp",
    ".avif": "avif",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".gif": "gif",
}
"""Formats by lower-case suffix."""
HEAD_BYTES = 64
"""The number of bytes that identify a format."""

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_MEDIA_BRANDS = {
    b"heic": "a HEIC",
    b"heix": "a HEIC",
    b"heim": "a HEIC",
    b"heis": "a HEIC",
    b"hevc": "a HEIC",
    b"mif1": "a HEIF",
    b"msf1": "a HEIF",
    b"crx ": "a camera's RAW (CR3)",
    b"qt  ": "a video (QuickTime)",
}
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (rb"BM.{4}\0\0\0\0", "a BMP"),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "a JPEG 2000"),
    (rb"8BP[SB]", "a PSD (Photoshop)"),
    (rb"gimp xcf", "an XCF (GIMP)"),
    (rb"(?:\xef\xbb\xbf)?\s*%PDF-", "a PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript"),
    (rb"II\*\0.{4}CR", "a camera's RAW (CR2)"),
    (rb"FUJIFILMCCD-RAW", "a camera's RAW (RAF)"),
    (rb"IIU\0", "a camera's RAW (RW2)"),
    (rb"IIR[OS]|MMOR", "a camera's RAW (ORF)"),
    (rb"FOVb", "a camera's RAW (X3F)"),
    (rb"\0\0[\x01\x02]\0[^\0]", "an ICO (icon)"),
    (rb"icns", "an ICNS (icon)"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR"),
    (rb"#\?RADIANCE|#\?RGBE", "a Radiance HDR"),
    (rb"P[1-7fF][\s#]", "a PNM"),
    (rb"qoif", "a QOI"),
    (rb"DDS ", "a DDS texture"),
    (rb"\x8aMNG|\x8bJNG", "an MNG"),
    (rb".{4}ftyp", "a video (MP4)"),
    (rb"\x1aE\xdf\xa3", "a video (Matroska)"),
    (rb"RIFF.{4}AVI ", "a video (AVI)"),
    (rb"PK\x03\x04", "a ZIP"),
    (rb"\x1f\x8b", "a gzip"),
    (rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml[^>]*|!--|!DOCTYPE svg|svg)", "an SVG (or other XML)"),
    (rb"(?:\xef\xbb\xbf)?\s*<(?i:!doctype html|html|head|body)", "an HTML page"),
    (rb"version https://git-lfs", "a Git LFS pointer"),
)
_SIGNATURES = tuple((re.compile(pattern, re.DOTALL), name) for pattern, name in _OTHERS)


def sniff(data: bytes) -> ImageFormat | None:
    """Return the format that the first bytes identify; `None` if it is not one of `FORMATS`."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if _AVIF_BRANDS & set(_brands(data)):
        return "avif"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return None if data[8:10] == b"CR" else "tiff"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    return None


def unread(data: bytes) -> str:
    """Return one sentence that explains why data for which `sniff` returns `None` cannot be read.

    It names the format of the data if it is recognised.
    """
    expected = f"expected {', '.join(FORMATS)}"
    if not data:
        return "the data is not an image that can be read: it is empty"
    name = _other(data[:HEAD_BYTES])
    return f"this is {name} file; {expected}" if name else f"the data is not an image that can be read; {expected}"


def format_of(path: Path, names: tuple[str, ...] = WRITABLE) -> ImageFormat:
    """Return the format of a file's suffix. Raises `ParameterError` if it is not one of `names`."""
    name = SUFFIXES.get(path.suffix.lower())
    if name is None or name not in names:
        hint = "; GIF is only written with all frames" if name == "gif" else ""
        raise ParameterError(f"cannot write {path.name}: expected a suffix of {', '.join(names)}{hint}")
    return name


def _other(head: bytes) -> str | None:
    named = next((_MEDIA_BRANDS[brand] for brand in _brands(head) if brand in _MEDIA_BRANDS), None)
    return named or next((name for pattern, name in _SIGNATURES if pattern.match(head)), None)


def _brands(data: bytes) -> tuple[bytes, ...]:
    """Return the major brand and the compatible brands of an ISO media file; empty for other files."""
    if data[4:8] != b"ftyp":
        return ()
    stop = min(int.from_bytes(data[:4], "big"), len(data), HEAD_BYTES)
    return (data[8:12], *(data[start : start + 4] for start in range(16, stop - 3, 4)))
