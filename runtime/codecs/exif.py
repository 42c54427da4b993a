"""Changes of an EXIF block in place, so that maker notes and unknown tags stay (EXIF 2.32, TIFF 6.0).

Offsets in an EXIF block count from its start, and maker notes hold offsets that only their maker knows. Therefore no value is
moved, and only values that no longer apply are overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

PREFIX = b"Exif\0\0"
"""Bytes before the block in JPEG, and in some files of other formats."""
_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 0x011A, 0x011B, 0x0128
_EXIF, _INTEROPERABILITY = 0x8769, 0xA005
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT, _INDEX = 0xA001, 0xA002, 0xA003, 0x0001
_THUMBNAIL, _THUMBNAIL_BYTES, _STRIPS, _STRIP_BYTES = 0x0201, 0x0202, 0x0111, 0x0117
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_LENGTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_PER_MM = {2: 25.4, 3: 10.0}
"""Millimetres of a resolution unit: inches and centimetres."""
_MOST_DENOMINATOR = 10_000
_LARGEST = (1 << 32) - 1


@dataclass(frozen=True)
class _Entry:
    """A tag of a directory: its type, its count, and the place of its value."""

    tag: int
    kind: int
    count: int
    place: int


class ExifBlock:
    """An EXIF block that can be changed. Whatever makes no sense in it stays as it is."""

    def __init__(self, block: bytes) -> None:
        self._data = bytearray(block.removeprefix(PREFIX))
        self._order: Literal["little", "big"] = "little" if self._data[:2] == b"II" else "big"
        self._first = self._number(4, 4) if block.removeprefix(PREFIX)[:2] in (b"II", b"MM") else 0

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    @property
    def orientation(self) -> int | None:
        """The orientation from 1 to 8; `None` if the block states none."""
        entry = self._find(self._first, _ORIENTATION)
        return self._integer(entry) if entry and self._integer(entry) in range(1, 9) else None

    @property
    def pixels_per_mm(self) -> tuple[float, float] | None:
        """The resolution along x and y; `None` if the block states none."""
        unit = self._find(self._first, _UNIT)
        unit_mm = _PER_MM.get(self._integer(unit) if unit else 2)
        x, y = (self._fraction(self._find(self._first, tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
        return (x / unit_mm, y / unit_mm) if unit_mm and x and y else None

    def set_upright(self) -> None:
        """Set the orientation to upright, if the block states one."""
        self._set(self._first, _ORIENTATION, 1)

    def set_size(self, width: int, height: int) -> None:
        """Set the size in pixels, where the block states it."""
        details = self._directory(_EXIF)
        for directory, across, down in ((self._first, _WIDTH, _HEIGHT), (details, _PIXEL_WIDTH, _PIXEL_HEIGHT)):
            self._set(directory, across, width)
            self._set(directory, down, height)

    def set_density(self, x: float, y: float) -> None:
        """Set the resolution in pixels per millimetre, if the block states one."""
        unit = self._find(self._first, _UNIT)
        unit_mm = _PER_MM.get(self._integer(unit) if unit else 2)
        if unit_mm is not None:
            self._set(self._first, _X_RESOLUTION, x * unit_mm)
            self._set(self._first, _Y_RESOLUTION, y * unit_mm)

    def set_srgb(self) -> None:
        """Set the colour space to sRGB, where the block states one (EXIF 2.32, 4.6.5; DCF 2.0)."""
        details = self._directory(_EXIF)
        self._set(details, _COLOR_SPACE, 1)
        linked = self._find(details, _INTEROPERABILITY)
        index = self._find(self._integer(linked), _INDEX) if linked else None
        if index is not None and index.count == 4:
            self._data[index.place : index.place + 4] = b"R98\0"

    def remove_thumbnail(self) -> None:
        """Remove the second directory, and overwrite its picture."""
        link = self._link(self._first)
        second = self._number(link, 4) if link else 0
        if not second:
            return
        for tag, length_tag in ((_THUMBNAIL, _THUMBNAIL_BYTES), (_STRIPS, _STRIP_BYTES)):
            start, length = self._find(second, tag), self._find(second, length_tag)
            if start and length and start.count == length.count == 1:
                self._erase(self._integer(start), self._integer(length))
        self._data[link : link + 4] = bytes(4)

    def _erase(self, start: int, length: int) -> None:
        """Overwrite bytes, or cut them off at the end of the block. A place that the block does not have is no fault."""
        stop = start + length
        if self._first < start < stop <= len(self._data):
            self._data[start:stop] = b"" if stop == len(self._data) else bytes(length)

    def _directory(self, tag: int) -> int:
        entry = self._find(self._first, tag)
        return self._integer(entry) if entry else 0

    def _entries(self, start: int) -> Iterator[_Entry]:
        if not 8 <= start <= len(self._data) - 2:
            return
        for place in range(start + 2, min(start + 2 + 12 * self._number(start, 2), len(self._data) - 11), 12):
            kind, count = self._number(place + 2, 2), self._number(place + 4, 4)
            inline = count * _LENGTHS.get(kind, 1) <= 4
            yield _Entry(self._number(place, 2), kind, count, place + 8 if inline else self._number(place + 8, 4))

    def _find(self, start: int, tag: int) -> _Entry | None:
        return next((entry for entry in self._entries(start) if entry.tag == tag and entry.count), None)

    def _link(self, start: int) -> int:
        """Return the place of the offset of the next directory; 0 if it is beyond the end."""
        place = start + 2 + 12 * self._number(start, 2)
        return place if start >= 8 and place + 4 <= len(self._data) else 0

    def _set(self, directory: int, tag: int, value: float) -> None:
        entry = self._find(directory, tag)
        if entry is None or entry.count != 1 or entry.place + _LENGTHS.get(entry.kind, 1) > len(self._data):
            return
        if entry.kind == _RATIONAL:
            fraction = Fraction(value).limit_denominator(_MOST_DENOMINATOR)
            self._write(entry.place, 4, fraction.numerator)
            self._write(entry.place + 4, 4, fraction.denominator)
        elif entry.kind == _SHORT and round(value) >= 1 << 16:  # both types take the four bytes of the entry
            self._write(entry.place - 6, 2, _LONG)
            self._write(entry.place, 4, round(value))
        elif entry.kind in (_SHORT, _LONG):
            self._write(entry.place, _LENGTHS[entry.kind], round(value))

    def _integer(self, entry: _Entry) -> int:
        return self._number(entry.place, _LENGTHS[entry.kind]) if entry.kind in (1, _SHORT, _LONG) else 0

    def _fraction(self, entry: _Entry | None) -> float:
        if entry is None or entry.kind != _RATIONAL:
            return self._integer(entry) if entry else 0
        below = self._number(entry.place + 4, 4)
        return self._number(entry.place, 4) / below if below else 0

    def _number(self, place: int, length: int) -> int:
        return int.from_bytes(self._data[place : place + length], self._order)

    def _write(self, place: int, length: int, value: int) -> None:
        self._data[place : place + length] = min(value, _LARGEST).to_bytes(length, self._order)
