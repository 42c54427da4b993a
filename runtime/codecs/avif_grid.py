"""AVIF files of several tiles, which are encoded one after the other, so that memory does not grow with the picture.

The tiles are AVIF files that libheif has written. Here they become one file whose picture is a grid of them (ISO 23008-12, 6.6.2.3,
and the AV1 Image File Format, section 4.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from upconv.runtime.codecs.av1_sequence import matrix_and_range
from upconv.runtime.codecs.avif_boxes import UNEXPECTED, associated, boxes_in, extent, integer, meta_boxes, primary_item
from upconv.runtime.errors import ImageError
from upconv.runtime.rounding import ceil_div, round_up

WHOLE_PX = 1 << 22
"""Largest picture in pixels that is encoded as a whole. libaom takes about 48 bytes for each pixel."""
TILE_PX = 512
"""Largest side of a tile in pixels."""
_STEP_PX = 64
"""Sides of tiles are multiples of this, the largest block of AV1, and at least this long, as MIAF demands."""
_UNSPECIFIED = 2
"""Code of ITU-T H.273."""
_HEAD_BYTES = 64
_ESSENTIAL = (b"av1C",)
_OF_WHOLE = (b"colr", b"pixi", b"auxC")
"""Properties of a tile that the grid has too."""


@dataclass(frozen=True)
class Grid:
    """The tiles of a picture, all of one size. Those at the right and at the bottom reach beyond it."""

    width: int
    """Width of the picture in pixels."""
    height: int
    """Height of the picture in pixels."""
    tile_width: int
    """Width of a tile in pixels."""
    tile_height: int
    """Height of a tile in pixels."""

    @classmethod
    def of(cls, width: int, height: int) -> Grid:
        """Return the grid for a picture."""
        sides = (round_up(ceil_div(side, ceil_div(side, TILE_PX)), _STEP_PX) for side in (width, height))
        return cls(width, height, *sides)

    @property
    def columns(self) -> int:
        """The number of tiles in a row."""
        return ceil_div(self.width, self.tile_width)

    @property
    def rows(self) -> int:
        """The number of rows of tiles."""
        return ceil_div(self.height, self.tile_height)


@dataclass(frozen=True)
class _Item:
    kind: bytes
    data: bytes
    properties: tuple[bytes, ...] = ()
    """Boxes."""
    refers: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
    """Kinds of references, and the numbers of items."""
    hidden: bool = False


def joined(tiles: list[bytes], grid: Grid) -> bytes:
    """Return one AVIF file of the tiles, row by row. The first tile has the metadata of the whole.

    Raises `ImageError` if the tiles are not files that libheif writes.
    """
    parts = [_items_of(tile) for tile in tiles]
    color = [next(item for item in part if item.kind == b"av01" and not _is_auxiliary(item)) for part in parts]
    color = [_with_codes(item) for item in color]
    opacity = [item for part in parts for item in part if item.kind == b"av01" and _is_auxiliary(item)]
    others = [item for item in parts[0] if item.kind != b"av01"]
    if len(opacity) not in (0, len(tiles)):
        raise ImageError(UNEXPECTED)
    items = _grid_items(color, 1, grid, ())
    if opacity:
        items += _grid_items(opacity, len(items) + 1, grid, ((b"auxl", (1,)),))
    items += [_Item(item.kind, item.data, refers=((b"cdsc", (1,)),)) for item in others]
    return _file(tiles[0][: integer(tiles[0], 0, 4)], items)


def _grid_items(tiles: list[_Item], first: int, grid: Grid, refers: tuple[tuple[bytes, tuple[int, ...]], ...]) -> list[_Item]:
    recipe = struct.pack(">BBBBHH", 0, 0, grid.rows - 1, grid.columns - 1, grid.width, grid.height)
    size = _full(b"ispe", struct.pack(">II", grid.width, grid.height))
    kept = tuple(box for box in tiles[0].properties if box[4:8] in _OF_WHOLE)
    profile_alone = tuple(box for box in tiles[0].properties if box[4:12] not in (b"colrprof", b"colrrICC"))
    made_of = (b"dimg", tuple(range(first + 1, first + 1 + len(tiles))))
    whole = _Item(b"grid", recipe, (size, *kept), (made_of, *refers))
    return [whole, *(_Item(b"av01", tile.data, profile_alone, hidden=True) for tile in tiles)]


def _with_codes(item: _Item) -> _Item:
    """Return the item with the codes of its colours, which `avif_codes.with_codes` changes, if the file states none."""
    if any(box[4:12] == b"colrnclx" for box in item.properties):
        return item
    matrix = matrix_and_range(item.data[:_HEAD_BYTES])
    if matrix is None:
        raise ImageError(UNEXPECTED)
    body = b"nclx" + struct.pack(">HHHB", _UNSPECIFIED, _UNSPECIFIED, matrix[0], matrix[1] << 7)
    return replace(item, properties=(*item.properties, _box(b"colr", body)))


def _is_auxiliary(item: _Item) -> bool:
    return any(box[4:8] == b"auxC" for box in item.properties)


def _items_of(data: bytes) -> list[_Item]:
    """Return the items of a file, in order."""
    boxes = meta_boxes(data)
    if not {b"iinf", b"iloc", b"iprp", b"pitm"} <= set(boxes):
        raise ImageError(UNEXPECTED)
    parts = {kind: (first, last) for kind, first, last in boxes_in(data, *boxes[b"iprp"])}
    listed = [data[first - 8 : last] for _, first, last in boxes_in(data, *parts[b"ipco"])]
    table = data[slice(*parts[b"ipma"])]
    items = []
    for _, first, _ in boxes_in(data, boxes[b"iinf"][0] + 6, boxes[b"iinf"][1]):
        number, kind = integer(data, first + 4, 2), data[first + 8 : first + 12]
        place = extent(data, boxes, number)
        if place is None:
            raise ImageError(UNEXPECTED)
        start = place[3] + integer(data, place[0], place[1])
        body = data[start : start + integer(data, place[0] + place[1], place[2])]
        items.append(_Item(kind, body, tuple(listed[chosen - 1] for chosen in associated(table, number))))
    if primary_item(data, boxes) != 1:
        raise ImageError(UNEXPECTED)
    return items


def _file(ftyp: bytes, items: list[_Item]) -> bytes:
    listed = list(dict.fromkeys(box for item in items for box in item.properties))

    def meta(start: int) -> bytes:
        places = b""
        for number, item in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, start, len(item.data))
            start += len(item.data)
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + places),
            _full(b"iinf", struct.pack(">H", len(items)), *(_entry(number, item) for number, item in enumerate(items, 1))),
            _full(b"iref", *_references(items)),
            _box(b"iprp", _box(b"ipco", *listed), _associations(items, listed)),
        )

    head = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(head) + _box(b"mdat", *(item.data for item in items))


def _entry(number: int, item: _Item) -> bytes:
    name = b"\0application/rdf+xml\0" if item.kind == b"mime" else b"\0"
    head = b"\2\0\0" + bytes([item.hidden])
    return _box(b"infe", head, struct.pack(">HH", number, 0), item.kind, name)


def _references(items: list[_Item]) -> list[bytes]:
    return [
        _box(kind, struct.pack(f">HH{len(targets)}H", number, len(targets), *targets))
        for number, item in enumerate(items, 1)
        for kind, targets in item.refers
    ]


def _associations(items: list[_Item], listed: list[bytes]) -> bytes:
    rows = [
        struct.pack(">HB", number, len(item.properties))
        + bytes(listed.index(box) + 1 | (0x80 if box[4:8] in _ESSENTIAL else 0) for box in item.properties)
        for number, item in enumerate(items, 1)
        if item.properties
    ]
    return _full(b"ipma", struct.pack(">I", len(rows)), *rows)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, bytes(4), *parts)
