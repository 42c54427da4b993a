"""The tags of TIFF directories that show the kind of a TIFF file (TIFF 6.0, section 2; BigTIFF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SUBFILE, COMPRESSION, PHOTOMETRIC, TILE_WIDTH, TILE_LENGTH, SUB_DIRECTORIES = 254, 259, 262, 322, 323, 330
SAMPLES_PER_PIXEL, PLANES = 277, 284
INK_SET, EXTRA_SAMPLES, YCBCR_COEFFICIENTS, REFERENCE_BLACK_WHITE = 332, 338, 529, 532
EXIF, DNG_VERSION = 34665, 50706

_RAW_PHOTOMETRICS = (32803, 34892)
_INLINE = {1: 1, 3: 2, 4: 4, 13: 4}
"""Length of the integer types in bytes, by type."""
_RATIONAL = 5
_MOST_TAGS = 512
_MOST_VALUES = 64


@dataclass(frozen=True)
class _Layout:
    """The byte order of a file, and the lengths of its counts, offsets and entries in bytes."""

    data: bytes
    order: Literal["little", "big"]
    count: int
    offset: int
    entry: int

    def number(self, start: int, length: int) -> int:
        """Return an unsigned integer, or 0 beyond the end of the file."""
        return int.from_bytes(self.data[start : start + length], self.order)

    def tags(self, start: int) -> int:
        """Return the number of entries of the directory at `start`."""
        return self.number(start, self.count)

    def following(self, start: int) -> int:
        """Return the offset of the directory after the one at `start`, or 0."""
        return self.number(start + self.count + self.tags(start) * self.entry, self.offset)


def first_directory(data: bytes) -> dict[int, int]:
    """Return the integers of a TIFF file's first directory by tag; empty if it is beyond the end.

    If an entry holds several integers, the value is the first one. It is meaningless if the entry stores them elsewhere.
    """
    layout = _layout(data)
    tags: dict[int, int] = {}
    for place in _entries(layout):
        length = _INLINE.get(layout.number(place + 2, 2), 0)
        tags[layout.number(place, 2)] = layout.number(place + 4 + layout.offset, length)
    return tags


def integers(data: bytes, tag: int) -> tuple[int, ...]:
    """Return all integers of a tag of the first directory, at most 64; empty if it has none."""
    layout = _layout(data)
    kind, count, start = _values(layout, tag, _INLINE)
    length = _INLINE.get(kind, 0)
    return tuple(layout.number(start + n * length, length) for n in range(count)) if length else ()


def rationals(data: bytes, tag: int, count: int) -> tuple[float, ...]:
    """Return the `count` fractions of a tag of the first directory; empty if it has not as many, or one is over 0."""
    layout = _layout(data)
    kind, found, start = _values(layout, tag, {_RATIONAL: 8})
    pairs = [(layout.number(place, 4), layout.number(place + 4, 4)) for place in range(start, start + 8 * found, 8)]
    valid = kind == _RATIONAL and found == count and all(below for _, below in pairs)
    return tuple(above / below for above, below in pairs) if valid else ()


def count_directories(data: bytes, most: int) -> int:
    """Return the number of directories (pages) of a TIFF file, counted up to `most`.

    The limit also ends the count of directories that form a cycle.
    """
    layout = _layout(data)
    start, count = layout.number(layout.offset, layout.offset), 0
    while 0 < start < len(data) and count < most:
        count += 1
        start = layout.following(start)
    return count


def is_raw(tags: dict[int, int]) -> bool:
    """Return whether the tags are those of a camera's raw file, such as DNG, NEF or ARW.

    The first picture of such a file is only a thumbnail.
    """
    thumbnail_first = tags.get(SUBFILE, 0) & 1 and SUB_DIRECTORIES in tags
    return DNG_VERSION in tags or tags.get(PHOTOMETRIC) in _RAW_PHOTOMETRICS or bool(thumbnail_first)


def _entries(layout: _Layout) -> range:
    """Return the places of the entries of the first directory."""
    start = layout.number(layout.offset, layout.offset)
    first = start + layout.count
    stop = min(first + min(layout.tags(start), _MOST_TAGS) * layout.entry, len(layout.data))
    return range(first, stop, layout.entry)


def _values(layout: _Layout, tag: int, lengths: dict[int, int]) -> tuple[int, int, int]:
    """Return the type of a tag's values, how many there are, and where they start."""
    place = next((place for place in _entries(layout) if layout.number(place, 2) == tag), None)
    if place is None:
        return 0, 0, 0
    kind, count = layout.number(place + 2, 2), min(layout.number(place + 4, layout.offset), _MOST_VALUES)
    start = place + 4 + layout.offset
    inline = count * lengths.get(kind, 0) <= layout.offset
    return kind, count, start if inline else layout.number(start, layout.offset)


def _layout(data: bytes) -> _Layout:
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = int.from_bytes(data[2:4], order) == 43
    return _Layout(data, order, 8, 8, 20) if big else _Layout(data, order, 2, 4, 12)
