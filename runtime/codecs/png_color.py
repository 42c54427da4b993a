"""The colour space that a PNG file states by gAMA and cHRM (PNG, third edition, 11.3.2 and 13.13)."""

from __future__ import annotations

from upconv.runtime.codecs import png_chunks
from upconv.runtime.codecs.matrix_profile import SRGB_CHROMATICITIES, matrix_profile
from upconv.runtime.conversions import Conversion

_UNIT = 100_000
_SRGB_GAMMA = 45_455
_NEAR = 1_000
"""Values this near to those of sRGB, in units of the chunks, mean sRGB."""
_GAMMAS = range(_UNIT // 100, _UNIT * 10)


def profile_of(png: bytes, *, grey: bool) -> tuple[bytes | None, tuple[Conversion, ...]]:
    """Return the ICC profile of a PNG file whose own profile is missing or unusable, and the conversions.

    The profile is `None` for sRGB. It says the same as gAMA and cHRM, and every format can hold it.
    """
    found: dict[bytes, bytes] = {}
    for kind, data in png_chunks.chunks(png):
        found.setdefault(kind, data)
    notes = (Conversion("damaged profile"),) if b"iCCP" in found else ()
    if b"sRGB" in found or b"gAMA" not in found:  # without a gamma, viewers take chromaticities as sRGB
        return None, notes
    gamma = int.from_bytes(found[b"gAMA"], "big")
    if gamma not in _GAMMAS:
        return None, (*notes, Conversion("senseless", name="gAMA"))
    points = _points(found.get(b"cHRM", b""))
    srgb_points = points is None or grey
    if srgb_points and abs(gamma - _SRGB_GAMMA) <= _NEAR:
        return None, notes
    try:
        curve = None if abs(gamma - _SRGB_GAMMA) <= _NEAR else _UNIT / gamma
        return matrix_profile(curve, points or SRGB_CHROMATICITIES, grey=grey), notes
    except ValueError:
        return None, (*notes, Conversion("senseless", name="cHRM"))


def _points(data: bytes) -> tuple[float, ...] | None:
    """Return the chromaticities in a cHRM chunk; `None` for those of sRGB, or if it has another length."""
    numbers = [int.from_bytes(data[place : place + 4], "big") for place in range(0, len(data), 4)]
    srgb = [round(value * _UNIT) for value in SRGB_CHROMATICITIES]
    if len(data) != 32 or all(abs(number - usual) <= _NEAR for number, usual in zip(numbers, srgb, strict=True)):
        return None
    return tuple(number / _UNIT for number in numbers)
