"""The segments before the pixels of a JPEG file (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator

from upconv.runtime.conversions import Conversion

COMMENT = 0xFE
_APP0, _APP15, _SCAN = 0xE0, 0xEF, 0xDA
LONGEST = 0xFFFF - 2
"""Most bytes that a segment holds, without its marker and its length."""
XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
"""The first bytes of a segment with an XMP packet."""
_CARRIED = (
    b"JFIF\0",
    b"JFXX\0",  # a thumbnail
    b"Exif\0\0",
    XMP_START,
    b"Photoshop 3.0\0",
    b"ICC_PROFILE\0",
    b"Adobe",  # the colour transform
    b"Ducky",  # the quality
    b"urn:iso:std:iso:ts:21496:-1\0",  # a gain map, which has its own phrase
)
"""Segments that are kept, or that describe only the coding of the old file."""
_LOSSES = {
    b"MPF\0": Conversion("further pictures"),
    b"http://ns.adobe.com/xmp/extension/\0": Conversion("extended xmp"),
    b"JP": Conversion("content credentials"),
}
_ONCE = {
    b"Photoshop 3.0\0": Conversion("further iptc"),
    b"Exif\0\0": Conversion("further metadata", name="EXIF"),
    XMP_START: Conversion("further metadata", name="XMP"),
}
"""Segments of which libvips reads the first only."""


def comments_of(jpeg: bytes) -> list[bytes]:
    """Return the comments of a file."""
    return [body for marker, body in segments(jpeg) if marker == COMMENT]


def unkept(jpeg: bytes) -> tuple[Conversion, ...]:
    """Return a phrase for each kind of application data that the result does not keep."""
    parts = list(segments(jpeg))
    found = [body for marker, body in parts if _APP0 <= marker <= _APP15 and not body.startswith(_CARRIED)]
    bodies = [body for _, body in parts]
    further = (note for start, note in _ONCE.items() if sum(body.startswith(start) for body in bodies) > 1)
    trailer = () if jpeg.rstrip(b"\0").endswith(b"\xff\xd9") else (Conversion("data behind"),)
    return (*dict.fromkeys((*map(_loss, found), *trailer)), *further)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """Return a JPEG file with a further segment, behind JFIF. Raises `ValueError` if the body is too long."""
    if len(body) > LONGEST:
        raise ValueError(f"a segment of JPEG holds {LONGEST} bytes")
    place = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == b"\xff\xe0" else 2
    return jpeg[:place] + bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body + jpeg[place:]


def _loss(body: bytes) -> Conversion:
    known = next((note for start, note in _LOSSES.items() if body.startswith(start)), None)
    word = body[:32].split(b"\0")[0].split(b" ")[0]
    if known is not None:
        return known
    return (
        Conversion("application data", name=word.decode()) if word.isalnum() and word.isascii() else Conversion("unknown data")
    )


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the body of each segment before the pixels."""
    place = 2
    while place + 4 <= len(jpeg):
        if jpeg[place] != 0xFF:  # bytes between segments, which libjpeg passes over
            place = jpeg.find(b"\xff", place)
            if place < 0:
                return
        elif jpeg[place + 1] in (0x00, 0x01, 0xFF):
            place += 1
        elif jpeg[place + 1] == _SCAN:
            return
        else:
            stop = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
            yield jpeg[place + 1], jpeg[place + 4 : stop]
            place = max(stop, place + 4)
