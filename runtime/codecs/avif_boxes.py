"""The properties of an AVIF file's picture that libheif leaves to its caller (ISO 14496-12, HEIF: ISO 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upconv.runtime.codecs.av1_sequence import is_full_range


@dataclass(frozen=True)
class AvifTraits:
    """How the samples of an AVIF file's picture are to be read."""

    limited_grey: bool = False
    """True if grey is stored as 16 to 235 of 255. libheif expands limited ranges of colours only."""
    premultiplied: bool = False
    """True if the colours are multiplied by the opacity."""


def traits_of(data: bytes) -> AvifTraits:
    """Return the traits of the primary picture. Boxes that make no sense count as absent."""
    meta = _child(data, b"meta", 0, len(data))
    if meta is None:
        return AvifTraits()
    boxes = {kind: (start, stop) for kind, start, stop in _boxes(data, meta[0] + 4, meta[1])}
    references = data[slice(*boxes.get(b"iref", (0, 0)))]
    return AvifTraits(_is_limited_grey(data, boxes), b"prem" in references)


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
    return is_full_range(coding[4:]) is False or is_full_range(_primary_data(data, boxes)) is False


def _primary_properties(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> list[tuple[bytes, bytes]]:
    """Return the properties of the primary item; all of the file if it is a grid, whose tiles hold them."""
    start, stop = boxes.get(b"iprp", (0, 0))
    parts = {kind: (first, last) for kind, first, last in _boxes(data, start, stop)}
    listed = [(kind, data[first:last]) for kind, first, last in _boxes(data, *parts.get(b"ipco", (0, 0)))]
    chosen = _associated(data[slice(*parts.get(b"ipma", (0, 0)))], _primary(data, boxes))
    own = [listed[number - 1] for number in chosen if 0 < number <= len(listed)]
    return own if any(kind == b"av1C" for kind, _ in own) else own + listed


def _associated(table: bytes, item: int) -> list[int]:
    """Return the numbers of the properties of an item (ISO 23008-12, 9.3)."""
    if len(table) < 8:
        return []
    id_bytes, number_bytes = (2 if table[0] < 1 else 4), (2 if table[3] & 1 else 1)
    place = 8
    for _ in range(_number(table, 4, 4)):
        owner, count = _number(table, place, id_bytes), _number(table, place + id_bytes, 1)
        place += id_bytes + 1
        if place >= len(table):
            break
        if owner == item:
            most = (1 << 8 * number_bytes - 1) - 1
            return [_number(table, place + n * number_bytes, number_bytes) & most for n in range(count)]
        place += count * number_bytes
    return []


def _primary(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> int:
    start, stop = boxes.get(b"pitm", (0, 0))
    return _number(data, start + 4, 2 if stop - start < 8 else 4)


def _primary_data(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> bytes:
    """Return the first bytes of the primary item. Only `iloc` of version 0 and 1 is read, which encoders write."""
    table = data[slice(*boxes.get(b"iloc", (0, 0)))]
    if len(table) < 8 or table[0] > 1:
        return b""
    offset_bytes, length_bytes, base_bytes = table[4] >> 4, table[4] & 15, table[5] >> 4
    index_bytes = table[5] & 15 if table[0] else 0
    place = 8
    for _ in range(_number(table, 6, 2)):
        item, place = _number(table, place, 2), place + (6 if table[0] else 4)
        base, count = _number(table, place, base_bytes), _number(table, place + base_bytes, 2)
        place += base_bytes + 2
        if item == _primary(data, boxes):
            begin = base + _number(table, place + index_bytes, offset_bytes)
            return data[begin : begin + 64]
        place += count * (index_bytes + offset_bytes + length_bytes)
    return b""


def _child(data: bytes, kind: bytes, start: int, stop: int) -> tuple[int, int] | None:
    return next(((first, last) for found, first, last in _boxes(data, start, stop) if found == kind), None)


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box between two places, and where its body starts and stops."""
    while start + 8 <= stop:
        length, head = _number(data, start, 4), 8
        if length == 1:
            length, head = _number(data, start + 8, 8), 16
        end = stop if length == 0 else start + length
        if (length and length < head) or end > stop:
            return
        yield data[start + 4 : start + 8], start + head, end
        start = end


def _number(data: bytes, place: int, length: int) -> int:
    return int.from_bytes(data[place : place + length], "big")
