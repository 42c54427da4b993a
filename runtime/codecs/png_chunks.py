"""The chunks of a PNG file (PNG, third edition, section 5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from upconv.runtime.conversions import Conversion

HEADER_END = 33
"""The place behind the signature and IHDR."""
_SIGNATURE_END = 8
_KNOWN = frozenset(
    b"IHDR PLTE IEND tRNS cHRM gAMA iCCP sRGB cICP mDCV mDCv cLLI cLLi pHYs eXIf tEXt zTXt iTXt acTL fcTL fdAT".split()
)
"""Chunks that are kept, converted, or have a phrase of their own."""
_OLD = frozenset(b"sBIT bKGD hIST sPLT tIME iDOT".split())
"""Chunks that describe only the pixels of the old file."""
_LOSSES = {b"caBX": Conversion("content credentials")}
_MOST_NAMED = 8


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the data of each chunk but those of pixels, also of those behind the pixels."""
    for kind, start, stop in _places(png):
        if kind != b"IDAT":
            yield kind, png[start:stop]


def with_chunks(png: bytes, added: list[tuple[bytes, bytes]], without: tuple[bytes, ...] = ()) -> bytes:
    """Return a PNG file with more chunks behind IHDR, and without some kinds of chunks."""
    parts, place = [png[:HEADER_END], *(_chunk(*entry) for entry in added)], HEADER_END
    for kind, start, stop in _places(png):
        if kind in without:
            parts.append(png[place : start - 8])
            place = stop + 4
        if kind == b"IDAT":  # what is removed stands before the pixels
            break
    return b"".join((*parts, png[place:]))


def unkept(png: bytes) -> tuple[Conversion, ...]:
    """Return a phrase for each kind of chunk that the result does not keep."""
    found = dict.fromkeys(chunks(png))
    kinds = dict.fromkeys(kind for kind, _ in found if kind.isalpha() and kind not in _KNOWN | _OLD)
    ratio = next((data for kind, data in found if kind == b"pHYs" and data[8:] == b"\0"), b"")
    skewed = (Conversion("aspect ratio"),) if ratio[:4] != ratio[4:8] else ()
    named = (_LOSSES.get(kind) or Conversion("chunk", name=kind.decode()) for kind in list(kinds)[:_MOST_NAMED])
    return (*named, *skewed)


def _places(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    start = _SIGNATURE_END
    while start + 12 <= len(png):
        stop = start + 8 + int.from_bytes(png[start : start + 4], "big")
        if stop + 4 > len(png):
            return
        yield png[start + 4 : start + 8], start + 8, stop
        start = stop + 4


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
