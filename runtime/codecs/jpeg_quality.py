"""The quality of a JPEG file, estimated from its quantisation tables.

The tables of the Independent JPEG Group are those of ITU-T T.81, annex K.1, multiplied by a percentage that the quality
determines. A table of another program gets the quality whose table has the most similar sum.
"""

from __future__ import annotations

from functools import cache, lru_cache

from upconv.runtime.codecs.jpeg_segments import segments

_TABLES = 0xDB
# fmt: off
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100,
    103, 99,
)
# fmt: on
"""The table of luma at quality 50, in any order."""


def estimated_quality(jpeg: bytes) -> int | None:
    """Return the quality of a JPEG file from 1 to 100; `None` if it has no table of luma before its pixels."""
    table = next((steps for marker, body in segments(jpeg) if marker == _TABLES for steps in _luma_tables(body)), None)
    if table is None:
        return None
    return _nearest(sum(table))


@lru_cache(1024)  # most files of a folder have the same tables
def _nearest(total: int) -> int:
    """Return the quality whose table has the most similar sum."""
    return min(range(1, 101), key=lambda quality: abs(_sum(quality) - total))


@cache
def _sum(quality: int) -> int:
    """Return the sum of the table of luma at this quality, as the library of the Independent JPEG Group makes it."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((step * percent + 50) // 100, 1), 255) for step in _LUMA)


def _luma_tables(body: bytes) -> list[list[int]]:
    """Return the complete tables with the number 0 in a segment."""
    found, place = [], 0
    while place < len(body):
        size, number = 1 + (body[place] >> 4), body[place] & 15
        steps = body[place + 1 : place + 1 + 64 * size]
        place += 1 + 64 * size
        if number == 0 and len(steps) == 64 * size:
            found.append([int.from_bytes(steps[at : at + size], "big") for at in range(0, 64 * size, size)])
    return found
