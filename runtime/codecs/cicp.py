"""Colour spaces that a PNG or AVIF file states by code points instead of an ICC profile.

ITU-T H.273, sections 8.1 (primaries) and 8.2 (transfer characteristics).
"""

from __future__ import annotations

from functools import cache

import pyvips

_SRGB_PRIMARIES = (1, 2)
"""BT.709, which sRGB uses, and unspecified."""
_P3_PRIMARIES = 12
_SRGB_CURVES = (1, 2, 6, 13, 14, 15)
"""sRGB, unspecified, and the BT.709 family, which viewers show as sRGB."""
_NAMES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3", 16: "PQ", 18: "HLG", 8: "linear"}
_HEADERS_BYTES = 1 << 14


def profile_for(data: bytes, name: str) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the ICC profile of the colour space that `data` states, and the conversions.

    The profile is `None` for sRGB, and for a colour space without a profile, which is a conversion. `name` is the format.
    """
    codes = _codes(data[:_HEADERS_BYTES], name)
    if codes is None or (codes[0] in _SRGB_PRIMARIES and codes[1] in _SRGB_CURVES):
        return None, ()
    primaries, curve = codes
    if primaries == _P3_PRIMARIES and curve in _SRGB_CURVES:
        return _display_p3(), ()
    space = " ".join(_NAMES.get(code, f"H.273 code {code}") for code in codes if code not in (*_SRGB_PRIMARIES, *_SRGB_CURVES))
    return None, (f"colours in {space} taken as sRGB",)


def _codes(head: bytes, name: str) -> tuple[int, int] | None:
    """Return the code points of the primaries and the transfer characteristics; `None` if the file states none."""
    if name == "png":
        place = head.split(b"IDAT", 1)[0].find(b"cICP")
        return (head[place + 4], head[place + 5]) if 0 <= place < len(head) - 5 else None
    place = head.find(b"colrnclx") if name == "avif" else -1
    return (_short(head, place + 8), _short(head, place + 10)) if 0 <= place < len(head) - 12 else None


def _short(head: bytes, place: int) -> int:
    return int.from_bytes(head[place : place + 2], "big")


@cache
def _display_p3() -> bytes:
    image = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    profile: bytes = image.icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    return profile
