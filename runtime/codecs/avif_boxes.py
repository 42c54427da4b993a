"""The properties of an AVIF file's picture that libheif leaves to its caller (ISO 14496-12, HEIF: ISO 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upconv.runtime.codecs.av1_sequence import is_full_range
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError

_CODES = b"colrnclx"
_UNSPECIFIED, _BT601 = 2, 6
"""Codes of matrices in ITU-T H.273."""
UNEXPECTED = "the picture cannot be written as avif: the encoder made boxes of another kind; choose png"


@dataclass(frozen=True)
class AvifTraits:
    """Properties of the samples in an AVIF file that libheif does not heed."""

    limited_grey: bool = False
    """True if grey is stored as 16 to 235 of 255. libheif expands limited ranges of colours only."""
    premultiplied: bool = False
    """True if the colours are multiplied by the opacity."""


def traits_of(data: bytes) -> AvifTraits:
    """Return the traits of the primary picture. Boxes that make no sense count as absent."""
    boxes = meta_boxes(data)
    references = data[slice(*boxes.get(b"iref", (0, 0)))]
    return AvifTraits(_is_limited_grey(data, boxes), b"prem" in references)


def upright_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of the primary picture, cropped and turned as it states; `None` if it states none.

    ISO 23008-12, 6.5.3 (size), 6.5.9 (clean aperture) and 6.5.10 (rotation).
    """
    boxes = meta_boxes(data)
    properties: dict[bytes, bytes] = {}
    for kind, body in _primary_properties(data, boxes):
        properties.setdefault(kind, body)
    size, crop = properties.get(b"ispe", b""), _own_property(data, boxes, b"clap")
    width, height = integer(size, 4, 4), integer(size, 8, 4)
    if len(crop) >= 16 and integer(crop, 4, 4) and integer(crop, 12, 4):
        width, height = integer(crop, 0, 4) // integer(crop, 4, 4), integer(crop, 8, 4) // integer(crop, 12, 4)
    turned = _own_property(data, boxes, b"irot")[:1] in (b"\1", b"\3")
    return ((height, width) if turned else (width, height)) if width and height else None


def with_known_matrix(data: bytes) -> bytes:
    """Return the file with the matrix of BT.601 where its codes leave it unspecified, as MIAF demands (ISO 23000-22, 7.3.6.4).

    libheif takes that of BT.709.
    """
    start, stop = meta_boxes(data).get(b"iprp", (0, 0))
    place = data.find(_CODES, start, stop) + len(_CODES) + 4
    unspecified = place > start + len(_CODES) + 4 and integer(data, place, 2) == _UNSPECIFIED
    return data[:place] + _BT601.to_bytes(2, "big") + data[place + 2 :] if unspecified else data


def unkept(data: bytes) -> tuple[Conversion, ...]:
    """Return a phrase if the primary picture states the light of its display or its content (`mdcv`, `clli`)."""
    kinds = {kind for kind, _ in _properties(data, meta_boxes(data))[0]}
    return (Conversion("hdr data not read"),) if kinds & {b"clli", b"mdcv"} else ()


def as_stated(image: Any, data: bytes) -> Any:
    """Return the libvips image of an AVIF file in the full range, with colours that are not multiplied by the opacity."""
    traits, bits = traits_of(data), image.get("bits-per-sample")
    unit = 256 if image.format == "ushort" else 1
    if traits.limited_grey:
        scale = (255 * unit + unit - 1) / (219 * unit)
        colors = (image.extract_band(0, n=3) - 16 * unit) * scale
        image = _like(colors.bandjoin(image[3]) if image.hasalpha() else colors, image)
    if traits.premultiplied and image.hasalpha():
        white = 255 if image.format == "uchar" else (1 << 16) - (1 << 16 - bits)
        image = _like(image.unpremultiply(max_alpha=white), image)
    return image


def _like(changed: Any, image: Any) -> Any:
    return changed.rint().cast(image.format).copy(interpretation=image.interpretation)


def _is_limited_grey(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> bool:
    properties = _primary_properties(data, boxes)
    coding = next((body for kind, body in properties if kind == b"av1C"), b"")
    if len(coding) < 4 or not coding[2] & 0x10:  # monochrome
        return False
    codes = next((body for kind, body in properties if kind == b"colr" and body[:4] == b"nclx"), b"")
    if len(codes) >= 11:
        return not codes[10] & 0x80
    return is_full_range(coding[4:]) is False or is_full_range(primary_data(data, boxes)) is False


def _primary_properties(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> list[tuple[bytes, bytes]]:
    """Return the properties of the primary item; all of the file if it is a grid, whose tiles hold them."""
    own, listed = _properties(data, boxes)
    return own if any(kind == b"av1C" for kind, _ in own) else own + listed


def _own_property(data: bytes, boxes: dict[bytes, tuple[int, int]], kind: bytes) -> bytes:
    return next((body for found, body in _properties(data, boxes)[0] if found == kind), b"")


def _properties(
    data: bytes, boxes: dict[bytes, tuple[int, int]]
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """Return the properties of the primary item, and those of the file."""
    start, stop = boxes.get(b"iprp", (0, 0))
    parts = {kind: (first, last) for kind, first, last in boxes_in(data, start, stop)}
    listed = [(kind, data[first:last]) for kind, first, last in boxes_in(data, *parts.get(b"ipco", (0, 0)))]
    chosen = associated(data[slice(*parts.get(b"ipma", (0, 0)))], primary_item(data, boxes))
    return [listed[number - 1] for number in chosen if 0 < number <= len(listed)], listed


def associated(table: bytes, item: int) -> list[int]:
    """Return the numbers of the properties of an item (ISO 23008-12, 9.3)."""
    if len(table) < 8:
        return []
    id_bytes, number_bytes = (2 if table[0] < 1 else 4), (2 if table[3] & 1 else 1)
    place = 8
    for _ in range(integer(table, 4, 4)):
        owner, count = integer(table, place, id_bytes), integer(table, place + id_bytes, 1)
        place += id_bytes + 1
        if place >= len(table):
            break
        if owner == item:
            most = (1 << 8 * number_bytes - 1) - 1
            return [integer(table, place + n * number_bytes, number_bytes) & most for n in range(count)]
        place += count * number_bytes
    return []


def primary_item(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> int:
    """Return the number of the primary item."""
    start, stop = boxes.get(b"pitm", (0, 0))
    return integer(data, start + 4, 2 if stop - start < 8 else 4)


def primary_data(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> bytes:
    """Return the first bytes of the primary item."""
    found = extent(data, boxes, primary_item(data, boxes))
    if found is None:
        return b""
    place, offset_bytes, _, base = found
    begin = base + integer(data, place, offset_bytes)
    return data[begin : begin + 64]


def extent(data: bytes, boxes: dict[bytes, tuple[int, int]], item: int) -> tuple[int, int, int, int] | None:
    """Return the place of the first offset of an item, the lengths of offset and length in bytes, and the base.

    Only `iloc` of version 0 and 1 is read, which encoders write (ISO 14496-12, 8.11.3).
    """
    start, stop = boxes.get(b"iloc", (0, 0))
    if stop - start < 8 or data[start] > 1:
        return None
    offset_bytes, length_bytes, base_bytes = data[start + 4] >> 4, data[start + 4] & 15, data[start + 5] >> 4
    index_bytes, named_bytes = (data[start + 5] & 15, 6) if data[start] else (0, 4)
    place = start + 8
    for _ in range(integer(data, start + 6, 2)):
        owner, place = integer(data, place, 2), place + named_bytes
        base, count = integer(data, place, base_bytes), integer(data, place + base_bytes, 2)
        place += base_bytes + 2
        if place >= stop:
            break
        if owner == item:
            return place + index_bytes, offset_bytes, length_bytes, base
        place += count * (index_bytes + offset_bytes + length_bytes)
    return None


def with_item_at(data: bytes, kind: bytes, offset: int, length: int) -> bytes:
    """Return the file with the item of a kind at another place of the file.

    Raises `ImageError` if it has no such item.
    """
    boxes = meta_boxes(data)
    found = extent(data, boxes, _item(data, boxes, kind))
    if found is None:
        raise ImageError(UNEXPECTED)
    place, offset_bytes, length_bytes, base = found
    fields = (offset - base).to_bytes(offset_bytes, "big") + length.to_bytes(length_bytes, "big")
    return data[:place] + fields + data[place + len(fields) :]


def _item(data: bytes, boxes: dict[bytes, tuple[int, int]], kind: bytes) -> int:
    """Return the number of the first item of a kind; 0 if there is none (ISO 14496-12, 8.11.6)."""
    start, stop = boxes.get(b"iinf", (0, 0))
    entries = boxes_in(data, start + (6 if data[start : start + 1] == b"\0" else 8), stop)
    items = (
        integer(data, first + 4, 2)
        for _, first, _ in entries
        if data[first : first + 1] == b"\2" and data[first + 8 : first + 12] == kind
    )
    return next(items, 0)


def meta_boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Return the places where the bodies of the boxes in `meta` start and stop."""
    meta = _child(data, b"meta", 0, len(data))
    return {} if meta is None else {kind: (start, stop) for kind, start, stop in boxes_in(data, meta[0] + 4, meta[1])}


def _child(data: bytes, kind: bytes, start: int, stop: int) -> tuple[int, int] | None:
    return next(((first, last) for found, first, last in boxes_in(data, start, stop) if found == kind), None)


def boxes_in(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box between two places, and where its body starts and stops."""
    while start + 8 <= stop:
        length, head = integer(data, start, 4), 8
        if length == 1:
            length, head = integer(data, start + 8, 8), 16
        end = stop if length == 0 else start + length
        if (length and length < head) or end > stop:
            return
        yield data[start + 4 : start + 8], start + head, end
        start = end


def integer(data: bytes | bytearray, place: int, length: int) -> int:
    """Return the unsigned integer at a place; bytes beyond the end are left out."""
    return int.from_bytes(data[place : place + length], "big")
