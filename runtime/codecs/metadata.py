"""Metadata of image files: EXIF, XMP, IPTC, texts and resolution.

It is read from one file and written to another. The result is upright and larger than the picture, so orientations are
reset and thumbnails are removed.
"""

from __future__ import annotations

import re
from typing import Any

from upconv.runtime.codecs import cicp, exif_storage, jpeg_segments, png_chunks, profiles
from upconv.runtime.codecs.exif import PREFIX, ExifBlock
from upconv.runtime.conversions import PHRASES, Conversion
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import Metadata, Picture

HELD: dict[str, frozenset[str]] = {
    "jpeg": frozenset({"EXIF", "XMP", "IPTC", "comment"}),
    "png": frozenset({"EXIF", "XMP", "text", "HDR data"}),
    "webp": frozenset({"EXIF", "XMP"}),
    "avif": frozenset({"EXIF", "XMP"}),
    "tiff": frozenset({"XMP", "IPTC", "description"}),
    "gif": frozenset(),
}
"""Kinds of metadata that are written in each format, besides the colour profile."""
LONGEST: dict[tuple[str, str | None], int] = {
    ("jpeg", "EXIF"): jpeg_segments.LONGEST - len(PREFIX),
    ("jpeg", "XMP"): jpeg_segments.LONGEST - len(jpeg_segments.XMP_START),
    ("jpeg", "IPTC"): jpeg_segments.LONGEST,
}
"""Most bytes of a kind of metadata in a format that limits it. JPEG holds each in one segment."""
DENSITY_HELD = ("jpeg", "png", "tiff")
"""Formats that have a field for the resolution. The other formats hold it in EXIF."""
DENSITY_READ = (*DENSITY_HELD, "bmp", "jp2")
"""Formats whose field for the resolution is read."""

EXIF, XMP, IPTC = "exif-data", "xmp-data", "iptc-data"
TEXT, HDR, COMMENT = "png-text-", "png-hdr-", "jpeg-comment"
"""Fields that libvips does not know: the beginning of names that end with the kind of a PNG chunk, and a name."""
_KINDS = {
    EXIF: "EXIF",
    XMP: "XMP",
    IPTC: "IPTC",
    TEXT: "text",
    HDR: "HDR data",
    COMMENT: "comment",
    "image-description": "description",
}
_KEEP = {"XMP": 2, "IPTC": 4, "description": 16}
_OWN = {"png": frozenset({"XMP"}), "jpeg": frozenset({"XMP", "IPTC"})}
"""Kinds that libvips writes in a format, but not as the format demands, or not all of them."""
_KEEP_EXIF, _KEEP_PROFILE = 1, 8
KEEP_TIMING = 16
"""libvips' flag that keeps the delays of frames, among other fields."""
_TEXTS, _HDR_DATA = (b"tEXt", b"zTXt", b"iTXt"), (b"mDCV", b"mDCv", b"cLLI", b"cLLi")
XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_NO_DENSITY = 72 / 25.4
"""The resolution of a TIFF file that states none, in pixels per millimetre, because the format requires one."""
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)[2-8]")
_WITHOUT_TURN = ("jpeg", "png", "webp")
"""Formats whose pixels are turned by the orientation in EXIF alone."""


def kind_of(field: str) -> str | None:
    """Return the kind of a field: EXIF, XMP, IPTC, text, comment, description or HDR data; `None` if it is not kept."""
    return next((kind for prefix, kind in _KINDS.items() if field.startswith(prefix)), None)


def of(image: Any, data: bytes, name: str) -> tuple[Metadata, tuple[Conversion, ...]]:
    """Return the metadata of a libvips image and its file, without the profile, and the conversions.

    A description that is not UTF-8 is dropped, which is a conversion. `name` is the format.
    """
    names = [field for field in (EXIF, XMP, IPTC, "image-description") if image.get_typeof(field)]
    found = [(field, image.get_typeof(field), value) for field in names if (value := _value(image, field))]
    fields = [entry for entry in found if not _is_garbled(entry[2])]
    notes = (Conversion("description encoding"),) if len(fields) < len(found) else ()
    block = ExifBlock(next((value for field, _, value in fields if field == EXIF), b""))
    turned = name not in _WITHOUT_TURN or block.orientation is not None
    upright = [(field, kind, _upright(field, value, turned=turned)) for field, kind, value in fields]
    density = _density(image, data, name, block)
    return Metadata(pixels_per_mm=density, fields=(*upright, *_own_fields(image, data, name))), notes


def onto(image: Any, picture: Picture, name: str) -> tuple[Any, int]:
    """Return the libvips image with the picture's metadata that libvips writes, and its `keep` flags.

    `name` is the format that the image is written in. `finishing.finished` adds the rest.
    """
    metadata = picture.metadata
    held = held_in(picture, name)
    kinds = {str(kind_of(field)) for field, _, _ in metadata.fields}
    kept = [entry for entry in metadata.fields if kind_of(entry[0]) in _KEEP and kind_of(entry[0]) in held]
    if kept:
        image = image.copy()
    for field, kind, value in kept:
        image.set_type(kind, field, value)
    # After the fields are set: an EXIF block overwrites the image's resolution, which is the one that is written.
    across, down = metadata.pixels_per_mm or (_NO_DENSITY, _NO_DENSITY)
    image = image.copy(xres=across, yres=down)
    if metadata.icc is not None:
        image.set_type(pyvips.GValue.blob_type, profiles.FIELD, metadata.icc)
    keep = _KEEP_PROFILE | sum({_KEEP.get(kind, 0) for kind in kinds & held - _OWN.get(name, frozenset())})
    if name == "avif" and "EXIF" in kinds & held:
        image.set_type(pyvips.GValue.blob_type, EXIF, exif_storage.PLACEHOLDER)
        keep |= _KEEP_EXIF
    # Without these flags, libvips adds an EXIF block to pictures that have none.
    return image, keep


def noted(picture: Picture, name: str) -> Picture:
    """Return the picture with a conversion for all metadata that the format `name` does not hold."""
    metadata, held = picture.metadata, held_in(picture, name)
    kinds = {str(kind_of(field)) for field, _, _ in metadata.fields}
    notes = [_not_held(kind, name) for kind in sorted(kinds - held)]
    if metadata.pixels_per_mm is not None and name not in DENSITY_HELD and not _holds_density(metadata, held):
        notes.append(Conversion("resolution not held", format=name))
    if metadata.codes is not None and not cicp.is_held(metadata.codes, name):
        notes.append(cicp.phrase(metadata.codes))
    return picture.noting(*notes)


def _not_held(kind: str, name: str) -> Conversion:
    own = f"{kind.lower()} not held"
    return Conversion(own, format=name) if own in PHRASES else Conversion("not held", name=kind, format=name)


def held_in(picture: Picture, name: str) -> frozenset[str]:
    """Return the kinds of the picture's metadata that a format holds."""
    held = HELD[name] if picture.format == name else HELD[name] - {"IPTC"}  # each format wraps IPTC differently
    found = ((kind_of(field), value) for field, _, value in picture.metadata.fields)
    return held - {kind for kind, value in found if len(value) > LONGEST.get((name, kind), len(value))}


def with_late_exif(image: Any, png: bytes) -> Any:
    """Return the libvips image of a PNG file with the EXIF block behind its pixels, which libvips does not read."""
    block = None if image.get_typeof(EXIF) else next((body for kind, body in png_chunks.chunks(png) if kind == b"eXIf"), None)
    if block is None:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, EXIF, block)
    image.set_type(pyvips.GValue.gint_type, "orientation", ExifBlock(block).orientation or 1)
    return image


def _own_fields(image: Any, data: bytes, name: str) -> list[tuple[str, int, Any]]:
    """Return the fields that libvips does not read, or changes."""
    blob = pyvips.GValue.blob_type
    if name == "jpeg":
        return [(COMMENT, blob, comment) for comment in jpeg_segments.comments_of(data)]
    fields = []
    for kind, body in png_chunks.chunks(data) if name == "png" else ():
        is_read = body.startswith(XMP_KEYWORD) and image.get_typeof(XMP)
        if kind in _TEXTS and not is_read:
            fields.append((TEXT + kind.decode(), blob, body))
        elif kind in _HDR_DATA:
            fields.append((HDR + kind.decode(), blob, body))
    return fields


def _holds_density(metadata: Metadata, held: frozenset[str]) -> bool:
    blocks = (value for field, _, value in metadata.fields if field == EXIF and "EXIF" in held)
    return any(ExifBlock(block).pixels_per_mm for block in blocks)


def _density(image: Any, data: bytes, name: str, block: ExifBlock) -> tuple[float, float] | None:
    if name == "png":
        body = next((body for kind, body in png_chunks.chunks(data) if kind == b"pHYs"), b"")
        x, y = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        return (x / 1000, y / 1000) if body[8:] == b"\1" and x and y else None
    if name in DENSITY_READ:
        return (image.xres, image.yres) if image.get_typeof("resolution-unit") else None
    return block.pixels_per_mm


def _value(image: Any, field: str) -> Any:
    """Return the value of a field of a libvips image; `None` if it is empty, which pyvips does not convert."""
    try:
        return image.get(field)
    except RuntimeError:
        return None


def _is_garbled(value: Any) -> bool:
    """Return whether libvips replaced bytes of a description that it could not decode."""
    return isinstance(value, str) and "\ufffd" in value


def _upright(field: str, value: Any, *, turned: bool) -> Any:
    if field == EXIF:
        block = ExifBlock(value.removeprefix(PREFIX))
        block.set_upright()
        block.remove_thumbnail()
        return bytes(block)
    return _ORIENTATION.sub(rb"\g<1>1", value) if field == XMP and turned else value
