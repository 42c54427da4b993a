"""Image formats: their first bytes, their suffixes, and formats that are recognised but not read."""

from __future__ import annotations

import re
from typing import Literal, get_args

from upconv.runtime.buckets import Place
from upconv.runtime.errors import ParameterError
from upconv.runtime.options import ImageFormat

SourceFormat = ImageFormat | Literal["heic", "bmp", "tga", "pnm", "jp2"]
"""A format that pictures are read in."""

FORMATS = ("jpeg", "png", "webp", "avif", "tiff", "gif", "heic", "bmp", "tga", "pnm", "jp2")
"""Formats that are read."""
WRITABLE = ("jpeg", "png", "webp", "avif", "tiff")
"""Formats in which a single picture is written."""
ANIMATED = ("webp", "gif")
"""Formats in which animations are read and written."""
MEDIA_TYPES = {name: f"image/{name}" for name in FORMATS} | {"tga": "image/x-tga", "pnm": "image/x-portable-anymap"}
"""Media types of HTTP, by format."""
_WRITTEN: dict[str, ImageFormat] = {name: name for name in get_args(ImageFormat)}
_RESULTS: dict[str, ImageFormat] = {"heic": "jpeg"}
"""The default format of a result, for formats that are not written. Photographs would be large in PNG."""
SUFFIXES: dict[str, SourceFormat] = {
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
    ".heic": "heic",
    ".heif": "heic",
    ".hif": "heic",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".tga": "tga",
    ".pnm": "pnm",
    ".pbm": "pnm",
    ".pgm": "pnm",
    ".ppm": "pnm",
    ".jp2": "jp2",
    ".j2k": "jp2",
    ".jpx": "jp2",
}
"""Formats by lower-case suffix."""
HEAD_BYTES = 64
"""The number of bytes that identify a format."""

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_MEDIA_BRANDS = {
    b"mif1": "a HEIF",
    b"msf1": "a HEIF",
    b"crx ": "a camera's RAW (CR3)",
    b"qt  ": "a video (QuickTime)",
}
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
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
    (rb"P[7fF][\s#]", "a PAM or PFM"),
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
_LATER_SIGNATURES: tuple[tuple[SourceFormat, re.Pattern[bytes]], ...] = (
    ("bmp", re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
    ("jp2", re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", re.DOTALL)),
    ("pnm", re.compile(rb"P[1-6][ \t\r\n#]")),
    # TGA has no signature. These are its types with what each demands: a palette or none, and the bits of a pixel.
    ("tga", re.compile(rb".\x01[\x01\x09].{4}[\x0f\x10\x18\x20].{8}\x08[\0-\x3f]", re.DOTALL)),
    ("tga", re.compile(rb".\0[\x02\x0a]\0{5}.{8}[\x10\x18\x20][\0-\x3f]", re.DOTALL)),
    ("tga", re.compile(rb".\0[\x03\x0b]\0{5}.{8}[\x08\x10][\0-\x3f]", re.DOTALL)),
)
"""Formats that are recognised after those above, by a pattern of their first bytes."""
_SIGNATURES = tuple((re.compile(pattern, re.DOTALL), name) for pattern, name in _OTHERS)


def sniff(data: bytes) -> SourceFormat | None:
    """Return the format that the first bytes identify; `None` if it is not one of `FORMATS`."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if brands := _brands(data):
        heic_first = brands[0] in _HEIC_BRANDS
        return "avif" if _AVIF_BRANDS & set(brands) and not heic_first else ("heic" if _HEIC_BRANDS & set(brands) else None)
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return None if data[8:10] == b"CR" else "tiff"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    return next((name for name, pattern in _LATER_SIGNATURES if pattern.match(data)), None)


def default_result(source: str) -> ImageFormat:
    """Return the format of the result of a picture in the format `source`: the same if it is written, or JPEG or PNG."""
    return _WRITTEN[source] if source in WRITABLE else _RESULTS.get(source, "png")


def unread(data: bytes) -> str:
    """Return one sentence that explains why data for which `sniff` returns `None` cannot be read.

    It names the format of the data if it is recognised.
    """
    expected = f"expected {', '.join(FORMATS)}"
    if not data:
        return "the data is not an image that can be read: it is empty"
    name = _other(data[:HEAD_BYTES])
    return f"this is {name} file; {expected}" if name else f"the data is not an image that can be read; {expected}"


def format_of(path: Place, names: tuple[str, ...] = WRITABLE) -> ImageFormat:
    """Return the format of a file's suffix. Raises `ParameterError` if it is not one of `names`."""
    name = _WRITTEN.get(SUFFIXES.get(path.suffix.lower(), ""))
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
