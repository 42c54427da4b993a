"""The codes of a colour space in an AVIF file that libheif has written (ISO 14496-12, 12.1.5; ISO 23008-12, 9.3)."""

from __future__ import annotations

from upconv.runtime.codecs.av1_sequence import matrix_and_range
from upconv.runtime.codecs.avif_boxes import UNEXPECTED, associated, boxes_in, integer, meta_boxes, primary_data, primary_item
from upconv.runtime.errors import ImageError
from upconv.runtime.picture import ColorCodes

_BOX = b"colrnclx"


def with_codes(data: bytes, codes: ColorCodes) -> bytes:
    """Return an AVIF file that states the codes. The matrix and the range stay those of its AV1 data.

    Raises `ImageError` if its boxes are not those that libheif writes.
    """
    boxes = meta_boxes(data)
    if not {b"iprp", b"iloc"} <= set(boxes):
        raise ImageError(UNEXPECTED)
    stated = data.find(_BOX, 0, boxes[b"iprp"][1])
    if stated >= 0:
        place = stated + len(_BOX)
        return data[:place] + _short(codes.primaries) + _short(codes.curve) + data[place + 4 :]
    matrix = matrix_and_range(primary_data(data, boxes))
    if matrix is None:
        raise ImageError(UNEXPECTED)
    body = _BOX + _short(codes.primaries) + _short(codes.curve) + _short(matrix[0]) + bytes([matrix[1] << 7])
    return _with_property(data, boxes, (len(body) + 4).to_bytes(4, "big") + body)


def _with_property(data: bytes, boxes: dict[bytes, tuple[int, int]], box: bytes) -> bytes:
    """Return the file with a further property of its primary item, behind the others."""
    parts = {kind: (first, last) for kind, first, last in boxes_in(data, *boxes[b"iprp"])}
    if not {b"ipco", b"ipma"} <= set(parts):
        raise ImageError(UNEXPECTED)
    (start, end), (table, stop) = parts[b"ipco"], parts[b"ipma"]
    if table < end:
        raise ImageError(UNEXPECTED)
    item = primary_item(data, boxes)
    place = _end_of_associations(data, table, item)
    count = place - len(associated(data[table:stop], item)) - 1 + len(box)
    made = bytearray(data[:end] + box + data[end:place] + bytes([len(list(boxes_in(data, start, end))) + 1]) + data[place:])
    made[count] += 1
    added = len(box) + 1
    _add(made, start - 8, 4, len(box))
    _add(made, table - 8 + len(box), 4, 1)
    _add(made, boxes[b"iprp"][0] - 8, 4, added)
    _add(made, data.index(b"meta") - 4, 4, added)
    _move_items(made, boxes[b"iloc"][0], added)
    return bytes(made)


def _end_of_associations(data: bytes, table: int, item: int) -> int:
    """Return the place behind the properties of an item, whose numbers take a byte each."""
    if data[table] or data[table + 3] & 1:
        raise ImageError(UNEXPECTED)
    place = table + 8
    while place < len(data) and integer(data, place, 2) != item:
        place += 3 + data[place + 2]
    return place + 3 + data[place + 2]


def _move_items(made: bytearray, start: int, by: int) -> None:
    """Add a number to the place of each extent, or to the base of its item."""
    version = made[start]
    offset_bytes, length_bytes, base_bytes = made[start + 4] >> 4, made[start + 4] & 15, made[start + 5] >> 4
    index_bytes, named_bytes = (made[start + 5] & 15, 6) if version else (0, 4)
    place = start + 8
    for _ in range(integer(made, start + 6, 2)):
        place += named_bytes
        based = integer(made, place, base_bytes) > 0
        if based:
            _add(made, place, base_bytes, by)
        count, place = integer(made, place + base_bytes, 2), place + base_bytes + 2
        for _ in range(count):
            if not based:
                _add(made, place + index_bytes, offset_bytes, by)
            place += index_bytes + offset_bytes + length_bytes


def _add(made: bytearray, place: int, length: int, value: int) -> None:
    made[place : place + length] = (integer(made, place, length) + value).to_bytes(length, "big")


def _short(value: int) -> bytes:
    return value.to_bytes(2, "big")
