"""The blocks of a GIF file that decide if its canvas shows through (GIF89a, sections 18 to 23)."""

from __future__ import annotations

from collections.abc import Iterator

_EXTENSION, _IMAGE, _CONTROL = 0x21, 0x2C, 0xF9
_HEADER_BYTES = 13
_TO_PREVIOUS = 3
"""The disposal that restores what was there before a frame: nothing, before the first one."""
_TRANSPARENT_FRAME = bytes.fromhex("21f9040100000000 2c00000000010001000002024401 00")
"""A frame of one transparent pixel."""


def with_open_canvas(data: bytes) -> tuple[bytes, int]:
    """Return GIF data for which libvips adds opacity if the canvas shows through, and the number of frames added.

    libvips decides by the flags of the frames alone, and shows the open part of the canvas in black if no frame has a
    transparent colour. A further frame that has one changes this, and is not to be shown.
    """
    end = data.rstrip(b"\0")
    if not _is_canvas_open(data) or not end.endswith(b";"):
        return data, 0
    return end[:-1] + _TRANSPARENT_FRAME + b";", 1


def _is_canvas_open(data: bytes) -> bool:
    """Return whether the first frame leaves a part of the canvas open, or a frame restores the empty canvas."""
    canvas, first = data[6:10], True
    for kind, body in _blocks(data):
        if kind == _CONTROL and len(body) > 1 and body[1] >> 2 & 7 == _TO_PREVIOUS:
            return True
        if kind == _IMAGE and first:
            if body[:4] != bytes(4) or body[4:8] != canvas:
                return True
            first = False
    return False


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the label of each extension with its first sub-block, and each frame with its descriptor."""
    place = _HEADER_BYTES + _table_bytes(data[10]) if len(data) > _HEADER_BYTES else len(data)
    while place + 2 < len(data):
        if data[place] == _EXTENSION:
            yield data[place + 1], data[place + 2 : place + 3 + data[place + 2]]
            place += 2
        elif data[place] == _IMAGE and place + 10 < len(data):
            descriptor = data[place + 1 : place + 10]
            yield _IMAGE, descriptor
            place += 11 + _table_bytes(descriptor[8])
        else:
            return
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
