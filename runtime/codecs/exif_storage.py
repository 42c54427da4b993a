"""Storage of an EXIF block in a file that libvips has written, without libvips' own changes to it."""

from __future__ import annotations

from collections.abc import Callable

from upconv.runtime.codecs import avif_boxes, png_chunks
from upconv.runtime.codecs.exif import PREFIX
from upconv.runtime.codecs.jpeg_segments import with_segment

PLACEHOLDER = PREFIX + b"II*\0\x08\0\0\0\0\0\0\0\0\0"
"""A block without tags, for which libheif makes an item."""
_HAS_ALPHA, _HAS_EXIF = 0x10, 0x08


def with_exif(data: bytes, name: str, block: bytes) -> bytes:
    """Return a JPEG, PNG, WebP or AVIF file with an EXIF block. An AVIF file must have been written with `PLACEHOLDER`."""
    return _STORES[name](data, block)


def _in_jpeg(data: bytes, block: bytes) -> bytes:
    return with_segment(data, 0xE1, PREFIX + block)


def _in_png(data: bytes, block: bytes) -> bytes:
    return png_chunks.with_chunks(data, [(b"eXIf", block)])


def _in_webp(data: bytes, block: bytes) -> bytes:
    """Return a WebP file with an EXIF chunk before that of XMP (RFC 9649, section 2.7)."""
    chunks = _webp_chunks(data)
    if chunks[0][0] != b"VP8X":
        chunks.insert(0, (b"VP8X", _extended_header(*chunks[0])))
    head = bytearray(chunks[0][1])
    head[0] |= _HAS_EXIF
    chunks[0] = (b"VP8X", bytes(head))
    place = next((number for number, (kind, _) in enumerate(chunks) if kind == b"XMP "), len(chunks))
    chunks.insert(place, (b"EXIF", block))
    body = b"".join(kind + len(part).to_bytes(4, "little") + part + bytes(len(part) % 2) for kind, part in chunks)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _webp_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, place = [], 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append((data[place : place + 4], data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    return chunks


def _extended_header(kind: bytes, body: bytes) -> bytes:
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height, flags = bits & 0x3FFF, bits >> 14 & 0x3FFF, _HAS_ALPHA * (bits >> 28 & 1)
    else:  # RFC 6386, section 9.1
        width, height = (int.from_bytes(body[place : place + 2], "little") - 1 & 0x3FFF for place in (6, 8))
        flags = 0
    return bytes([flags, 0, 0, 0]) + width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _in_avif(data: bytes, block: bytes) -> bytes:
    """Return an AVIF file whose EXIF item is at the end of the file (ISO 23008-12, A.2.1)."""
    item = len(PREFIX).to_bytes(4, "big") + PREFIX + block
    box = (len(item) + 8).to_bytes(4, "big") + b"mdat" + item
    return avif_boxes.with_item_at(data, b"Exif", len(data) + 8, len(item)) + box


_STORES: dict[str, Callable[[bytes, bytes], bytes]] = {"jpeg": _in_jpeg, "png": _in_png, "webp": _in_webp, "avif": _in_avif}
