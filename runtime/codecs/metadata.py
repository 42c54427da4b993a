"""Metadata of image files: EXIF, XMP, IPTC, texts and resolution.

It is read from one file and written to another. The result is upright and larger than the picture, so orientations are
reset and thumbnails are removed.
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
"""Kinds of metadata that libvips writes in each format, besides the colour profile."""
DENSITY_HELD = ("jpeg", "png", "tiff")
"""Formats that have a field for the resolution. The other formats hold it in EXIF."""

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
"""libvips' flag that keeps the delays of frames, among other fields."""
_EXIF, _XMP = "exif-data", "xmp-data"
_PNG_HEADER_END = 33
_DROPPED = ("exif-ifd0-Orientation", "exif-ifd1-")
"""Fields that no longer apply: the orientation, and the thumbnail of the picture before upscaling."""
_PNG_UNSTATED = 2.834
"""libvips' resolution of a PNG that states none, in pixels per millimetre: 72 pixels per inch."""
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)[2-8]")


def kind_of(field: str) -> str | None:
    """Return the kind of a libvips field: EXIF, XMP, IPTC, text or description; `None` if it is not kept."""
    return next((kind for prefix, kind in _KINDS.items() if field.startswith(prefix)), None)


def of(image: Any, name: str) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata of a libvips image, without the profile, and the conversions.

    A text that is not UTF-8 is dropped, which is a conversion. `name` is the format.
    """
    try:
        names, lost = image.get_fields(), False
    except UnicodeDecodeError:  # the name of a text in PNG
        names, lost = [field for field in (_EXIF, _XMP) if image.get_typeof(field)], True
    found = [(field, image.get_typeof(field), _upright(field, image.get(field))) for field in names if _is_kept(field)]
    fields = tuple(entry for entry in found if not _is_garbled(entry[0], entry[2]))
    notes = ("text in another encoding than UTF-8 dropped",) if lost or len(fields) < len(found) else ()
    return Metadata(pixels_per_mm=_density(image, name), fields=fields), notes


def onto(image: Any, picture: Picture, name: str) -> tuple[Any, int, Picture]:
    """Return the libvips image with the picture's metadata, its `keep` flags, and the picture.

    The flags make libvips write the metadata, and the picture has the conversions. `name` is the format that the image
    is written in.
    """
    metadata = picture.metadata
    held = HELD[name] if picture.format == name else HELD[name] - {"IPTC"}  # each format wraps IPTC differently
    kinds = {str(kind_of(field)) for field, _, _ in metadata.fields}
    notes = [f"{kind} dropped, which {name} cannot hold" for kind in sorted(kinds - held)]
    if metadata.pixels_per_mm is not None and name not in DENSITY_HELD and "EXIF" not in kinds & held:
        notes.append(f"resolution dropped, which {name} cannot hold")
    image = image.copy()
    for field, kind, value in metadata.fields:
        if kind_of(field) in held and not _is_foreign_text(field, value):
            image.set_type(kind, field, value)
    if "EXIF" in kinds & held:
        # The pixels are upright. With the orientation in the EXIF block, viewers would rotate them again.
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    # After the fields are set: an EXIF block overwrites the image's resolution, which is the one that is written.
    across, down = metadata.pixels_per_mm or (_PNG_UNSTATED, _PNG_UNSTATED)
    image = image.copy(xres=across, yres=down)
    if metadata.icc is not None:
        image = profiles.with_profile(image, metadata.icc)
    # Without these flags, libvips adds an EXIF block to pictures that have none.
    return image, _KEEP_PROFILE | sum({_KEEP[kind] for kind in kinds & held}), picture.noting(*notes)


def with_density(jpeg: bytes, metadata: Metadata) -> bytes:
    """Return the JPEG bytes with the resolution in a JFIF segment (JFIF 1.02, page 5).

    libvips writes the resolution only into EXIF.
    """
    if metadata.pixels_per_mm is None or jpeg[2:4] in (b"\xff\xe0", b"\xff\xe1"):
        return jpeg
    across, down = (min(65535, max(1, round(25.4 * value))).to_bytes(2, "big") for value in metadata.pixels_per_mm)
    return jpeg[:2] + b"\xff\xe0\x00\x10JFIF\x00\x01\x02\x01" + across + down + b"\0\0" + jpeg[2:]


def with_texts(png: bytes, metadata: Metadata) -> bytes:
    """Return the PNG bytes with the texts that are not ASCII in iTXt chunks.

    libvips would write them as UTF-8 in tEXt chunks, which are Latin-1 (PNG, third edition, sections 5.3 and 11.3.3).
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
    """Return whether libvips replaced bytes of a text that it could not decode. Texts in EXIF stay in its block."""
    return kind_of(field) in ("text", "description") and "\ufffd" in value


def _upright(field: str, value: Any) -> Any:
    if field == _XMP:
        return _ORIENTATION.sub(rb"\g<1>1", value)
    return _without_thumbnail(value) if field == _EXIF else value


def _without_thumbnail(exif: bytes) -> bytes:
    """Return an EXIF block whose first directory is its last, so that it has no thumbnail (TIFF 6.0, page 14)."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    if exif[start : start + 2] not in (b"II", b"MM"):
        return exif
    order: Literal["little", "big"] = "little" if exif[start : start + 1] == b"I" else "big"
    first = start + int.from_bytes(exif[start + 4 : start + 8], order)
    link = first + 2 + 12 * int.from_bytes(exif[first : first + 2], order)
    return exif[:link] + bytes(4) + exif[link + 4 :] if link + 4 <= len(exif) else exif
