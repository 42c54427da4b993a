"""What a file says beside its pixels: read with them, put into what is written, and what a format cannot hold is named.

Pixels come out upright, and larger, so nothing may go on saying that they lie or show what they looked like before.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from fractions import Fraction
from typing import Any, Literal

import pyvips

from upconv.runtime.codecs import profiles
from upconv.runtime.picture import Metadata, Picture

HELD: dict[str, frozenset[str]] = {
    "jpeg": frozenset({"EXIF", "XMP", "IPTC"}),
    "png": frozenset({"EXIF", "XMP", "text"}),
    "webp": frozenset({"EXIF", "XMP"}),
    "avif": frozenset({"EXIF", "XMP"}),
    "tiff": frozenset({"XMP", "IPTC", "description"}),
    "gif": frozenset(),
}
"""What each format holds, as libvips writes it, beside the colour profile."""
DENSITY_HELD = ("jpeg", "png", "tiff")
"""Formats with a resolution of their own; others hold it in EXIF."""

_TEXT = "png-comment-"
_KINDS = {
    "exif-": "EXIF",
    "xmp-data": "XMP",
    "iptc-data": "IPTC",
    _TEXT: "text",
    "image-description": "description",
}
_KEEP = {"EXIF": 1, "XMP": 2, "IPTC": 4, "text": 16, "description": 16}
_KEEP_PROFILE = 8
KEEP_TIMING = 16
"""libvips' flag for the frames' delays among other things."""
_EXIF, _XMP = "exif-data", "xmp-data"
_PNG_HEADER_END = 33
_DROPPED = ("exif-ifd0-Orientation", "exif-ifd1-")
"""Applied by now; and the thumbnail, which shows the picture as it was."""
_PNG_UNSTATED = 2.834
"""What libvips says where a PNG says nothing: 72 pixels per inch."""
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)[2-8]")


def kind_of(field: str) -> str | None:
    """What a libvips field belongs to: EXIF, XMP, IPTC, text, description; none for those that are not kept."""
    return next((kind for prefix, kind in _KINDS.items() if field.startswith(prefix)), None)


def of(image: Any, name: str) -> tuple[Metadata, tuple[str, ...]]:
    """What the image says beside its pixels and their colours, and a phrase where libvips could not read all of it."""
    try:
        names, lost = image.get_fields(), False
    except UnicodeDecodeError:  # the name of a text in PNG
        names, lost = [field for field in (_EXIF, _XMP) if image.get_typeof(field)], True
    found = [(field, image.get_typeof(field), _upright(field, image.get(field))) for field in names if _is_kept(field)]
    fields = tuple(entry for entry in found if not _is_garbled(entry[0], entry[2]))
    notes = ("text in another encoding than UTF-8 dropped",) if lost or len(fields) < len(found) else ()
    return Metadata(pixels_per_mm=_density(image, name), fields=fields), notes


def onto(image: Any, picture: Picture, name: str) -> tuple[Any, int, Picture]:
    """`image` with the picture's metadata, libvips' flags of what to keep, and the picture noting what was dropped."""
    metadata = picture.metadata
    held = HELD[name] if picture.format == name else HELD[name] - {"IPTC"}  # each wraps it in its own way
    kinds = {str(kind_of(field)) for field, _, _ in metadata.fields}
    notes = [f"{kind} dropped, which {name} cannot hold" for kind in sorted(kinds - held)]
    if metadata.pixels_per_mm is not None and name not in DENSITY_HELD and "EXIF" not in kinds & held:
        notes.append(f"resolution dropped, which {name} cannot hold")
    image = image.copy()
    for field, kind, value in metadata.fields:
        if kind_of(field) in held and not _is_foreign_text(field, value):
            image.set_type(kind, field, value)
    if "EXIF" in kinds & held:
        # The pixels are upright by now; the EXIF block would turn them once more.
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    # Only now: with an EXIF block, its resolution became the image's. What is written follows the image.
    across, down = metadata.pixels_per_mm or (_PNG_UNSTATED, _PNG_UNSTATED)
    image = image.copy(xres=across, yres=down)
    if metadata.icc is not None:
        image = profiles.with_profile(image, metadata.icc)
    # Left to itself, libvips makes up an EXIF block for pictures that had none.
    return image, _KEEP_PROFILE | sum({_KEEP[kind] for kind in kinds & held}), picture.noting(*notes)


def with_density(jpeg: bytes, metadata: Metadata) -> bytes:
    """A JPEG that says its resolution in a JFIF segment; libvips writes it into EXIF alone (JFIF 1.02, page 5)."""
    if metadata.pixels_per_mm is None or jpeg[2:4] in (b"\xff\xe0", b"\xff\xe1"):
        return jpeg
    across, down = (min(65535, max(1, round(25.4 * value))).to_bytes(2, "big") for value in metadata.pixels_per_mm)
    return jpeg[:2] + b"\xff\xe0\x00\x10JFIF\x00\x01\x02\x01" + across + down + b"\0\0" + jpeg[2:]


def with_texts(png: bytes, metadata: Metadata) -> bytes:
    """A PNG with the texts that are not plain ASCII in iTXt chunks; libvips writes UTF-8 where readers expect Latin-1.

    PNG, third edition, sections 5.3 and 11.3.3.
    """
    chunks = b""
    for field, _, value in metadata.fields:
        if _is_foreign_text(field, value):
            keyword = field.removeprefix(_TEXT).partition("-")[2]
            data = b"iTXt" + keyword.encode("latin-1", "replace")[:79] + bytes(5) + value.encode()
            chunks += (len(data) - 4).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    return png[:_PNG_HEADER_END] + chunks + png[_PNG_HEADER_END:] if chunks else png


def _is_foreign_text(field: str, value: Any) -> bool:
    return field.startswith(_TEXT) and isinstance(value, str) and not value.isascii()


def _density(image: Any, name: str) -> tuple[float, float] | None:
    if name in DENSITY_HELD:
        unstated = image.xres == _PNG_UNSTATED if name == "png" else not image.get_typeof("resolution-unit")
        return None if unstated else (image.xres, image.yres)
    with contextlib.suppress(ValueError, ZeroDivisionError, pyvips.Error):
        x, y = (float(Fraction(image.get(f"exif-ifd0-{axis}Resolution").split()[0])) for axis in "XY")
        per_cm = image.get_typeof("exif-ifd0-ResolutionUnit") and image.get("exif-ifd0-ResolutionUnit").startswith("3")
        unit_mm = 10.0 if per_cm else 25.4
        return (x / unit_mm, y / unit_mm) if x > 0 and y > 0 else None
    return None


def _is_kept(field: str) -> bool:
    return kind_of(field) is not None and not field.startswith(_DROPPED)


def _is_garbled(field: str, value: Any) -> bool:
    """Whether libvips has put marks for bytes it did not know; those of EXIF stay in its block."""
    return kind_of(field) in ("text", "description") and "\ufffd" in value


def _upright(field: str, value: Any) -> Any:
    if field == _XMP:
        return _ORIENTATION.sub(rb"\g<1>1", value)
    return _without_thumbnail(value) if field == _EXIF else value


def _without_thumbnail(exif: bytes) -> bytes:
    """An EXIF block whose first directory is its last (TIFF 6.0, page 14)."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    if exif[start : start + 2] not in (b"II", b"MM"):
        return exif
    order: Literal["little", "big"] = "little" if exif[start : start + 1] == b"I" else "big"
    first = start + int.from_bytes(exif[start + 4 : start + 8], order)
    link = first + 2 + 12 * int.from_bytes(exif[first : first + 2], order)
    return exif[:link] + bytes(4) + exif[link + 4 :] if link + 4 <= len(exif) else exif
