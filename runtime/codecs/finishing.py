"""Metadata that libvips does not write, or writes differently: EXIF, resolution, texts, comments and codes of colours."""

from __future__ import annotations

from collections.abc import Callable

from upconv.runtime.codecs import cicp, exif_storage, metadata, png_chunks
from upconv.runtime.codecs.avif_codes import with_codes
from upconv.runtime.codecs.exif import ExifBlock
from upconv.runtime.codecs.jpeg_segments import COMMENT, XMP_START, with_segment
from upconv.runtime.picture import Metadata, Picture

_JPEG_SEGMENTS = {metadata.XMP: (0xE1, XMP_START), metadata.IPTC: (0xED, b"")}
"""The marker of the segment of each field, and how its body starts. libvips drops XMP of more than 60,000 bytes."""


def finished(data: bytes, picture: Picture, name: str, height: int | None = None) -> bytes:
    """Return the file with the metadata of the picture that it holds and `metadata.onto` leaves out.

    `name` is the format of the file, and `height` that of a frame if the picture holds several.
    """
    finish = _FINISHES.get(name)
    data = data if finish is None else finish(data, picture.metadata)
    held = metadata.held_in(picture, name)
    for field, _, value in reversed(picture.metadata.fields):  # EXIF comes first, and goes before the others
        if metadata.kind_of(field) not in held:
            continue
        if field == metadata.EXIF:
            data = exif_storage.with_exif(data, name, _enlarged(value, picture, height or picture.height))
        elif name == "jpeg" and field in _JPEG_SEGMENTS:
            marker, start = _JPEG_SEGMENTS[field]
            data = with_segment(data, marker, start + value)
    return data


def _enlarged(exif: bytes, picture: Picture, height: int) -> bytes:
    block = ExifBlock(exif)
    block.set_size(picture.width, height)
    if picture.metadata.pixels_per_mm is not None:
        block.set_density(*picture.metadata.pixels_per_mm)
    return bytes(block)


def _jpeg(jpeg: bytes, stated: Metadata) -> bytes:
    """Return the JPEG bytes with the comments, and the resolution in a JFIF segment (JFIF 1.02, page 5)."""
    for field, _, comment in reversed(stated.fields):
        if field == metadata.COMMENT:
            jpeg = with_segment(jpeg, COMMENT, comment)
    if stated.pixels_per_mm is None or jpeg[2:4] == b"\xff\xe0":
        return jpeg
    across, down = (min(65535, max(1, round(25.4 * value))).to_bytes(2, "big") for value in stated.pixels_per_mm)
    return with_segment(jpeg, 0xE0, b"JFIF\0\x01\x02\x01" + across + down + b"\0\0")


def _png(png: bytes, stated: Metadata) -> bytes:
    """Return the PNG bytes with the codes of colours, the resolution, and the texts as they were."""
    added = [] if stated.codes is None else [cicp.chunk(stated.codes)]
    if stated.pixels_per_mm is not None:
        x, y = (min((1 << 31) - 1, max(1, round(1000 * value))).to_bytes(4, "big") for value in stated.pixels_per_mm)
        added.append((b"pHYs", x + y + b"\1"))
    for field, _, value in stated.fields:
        if field.startswith((metadata.TEXT, metadata.HDR)):
            added.append((field[-4:].encode(), value))
        elif field == metadata.XMP:  # without compression, as XMP, part 3, section 1.1.5 demands
            added.append((b"iTXt", metadata.XMP_KEYWORD + bytes(4) + value))
    return png_chunks.with_chunks(png, added, without=(b"pHYs",))


def _avif(avif: bytes, stated: Metadata) -> bytes:
    codes = stated.codes if stated.icc is None else None
    return avif if codes is None or not cicp.is_held(codes, "avif") else with_codes(avif, codes)


_FINISHES: dict[str, Callable[[bytes, Metadata], bytes]] = {"jpeg": _jpeg, "png": _png, "avif": _avif}
