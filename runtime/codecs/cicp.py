"""Colour spaces that a PNG or AVIF file states by code points instead of an ICC profile.

ITU-T H.273, sections 8.1 (primaries) and 8.2 (transfer characteristics).
"""

from __future__ import annotations

from functools import cache

from upconv.runtime.codecs import png_chunks
from upconv.runtime.conversions import Conversion
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import ColorCodes

_SRGB_PRIMARIES = (1, 2)
"""BT.709, which sRGB uses, and unspecified."""
_P3_PRIMARIES = 12
_SRGB_CURVES = (1, 2, 6, 13, 14, 15)
"""sRGB, unspecified, and the BT.709 family, which viewers show as sRGB."""
_NAMES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3", 16: "PQ", 18: "HLG", 8: "linear"}
_HEADERS_BYTES = 1 << 14


def codes_of(data: bytes, name: str) -> ColorCodes | None:
    """Return the codes in a file of format `name`; `None` for sRGB, and if it states none."""
    codes = _codes(data, name)
    plain = codes is None or (codes.primaries in _SRGB_PRIMARIES and codes.curve in _SRGB_CURVES and codes.full_range)
    return None if plain else codes


def profile_for(codes: ColorCodes) -> bytes | None:
    """Return the ICC profile that says the same as the codes; `None` if there is none."""
    return _display_p3() if codes.primaries == _P3_PRIMARIES and codes.curve in _SRGB_CURVES and codes.full_range else None


def is_held(codes: ColorCodes, name: str) -> bool:
    """Return whether a format holds the codes. The samples of AVIF that libheif writes have the full range."""
    return name == "png" or (name == "avif" and codes.full_range)


def phrase(codes: ColorCodes) -> Conversion:
    """Return the conversion of a picture that loses its codes."""
    stated = [(codes.primaries, _SRGB_PRIMARIES), (codes.curve, _SRGB_CURVES)]
    names = [_NAMES.get(code, f"H.273 code {code}") for code, usual in stated if code not in (*usual, *_SRGB_PRIMARIES)]
    return Conversion("codes", names=" ".join(names)) if names else Conversion("narrow range")


def chunk(codes: ColorCodes) -> tuple[bytes, bytes]:
    """Return the chunk of a PNG file that states the codes. The pixels are RGB, so the matrix is 0."""
    return b"cICP", bytes([codes.primaries & 0xFF, codes.curve & 0xFF, 0, codes.full_range])


def _codes(data: bytes, name: str) -> ColorCodes | None:
    if name == "png":
        body = next((body for kind, body in png_chunks.chunks(data) if kind == b"cICP"), b"")
        return ColorCodes(body[0], body[1], bool(body[3])) if len(body) == 4 else None
    head = data[:_HEADERS_BYTES]
    place = head.find(b"colrnclx") if name in ("avif", "heic") else -1
    return ColorCodes(_short(head, place + 8), _short(head, place + 10)) if 0 <= place < len(head) - 12 else None


def _short(head: bytes, place: int) -> int:
    return int.from_bytes(head[place : place + 2], "big")


@cache
def _display_p3() -> bytes:
    image = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    profile: bytes = image.icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    return profile
