from __future__ import annotations

import pytest

from upconv.runtime.codecs.cicp import chunk, codes_of, phrase, profile_for
from upconv.runtime.codecs.profiles import space_of
from upconv.runtime.picture import ColorCodes


def png(primaries: int, curve: int, full: int = 1) -> bytes:
    """The parts of a PNG file that matter here: a cICP chunk before the pixels."""
    return bytes(8) + b"\0\0\0\4cICP" + bytes([primaries, curve, 0, full]) + bytes(4) + b"\0\0\0\0IDAT"


def avif(primaries: int, curve: int) -> bytes:
    """The part of an AVIF file that matters here: a colr box."""
    return b"\0\0\0\x13colrnclx" + primaries.to_bytes(2, "big") + curve.to_bytes(2, "big") + b"\0\0\0"


@pytest.mark.parametrize("curve", [1, 2, 6, 13, 14, 15])
@pytest.mark.parametrize("primaries", [1, 2])
def test_srgb_needs_no_codes(primaries: int, curve: int) -> None:
    assert codes_of(png(primaries, curve), "png") is codes_of(avif(primaries, curve), "avif") is None


@pytest.mark.parametrize("curve", [1, 2, 6, 13, 14, 15])
def test_display_p3_gets_its_profile(curve: int) -> None:
    codes = codes_of(avif(12, curve), "avif")
    assert codes == codes_of(png(12, curve), "png") == ColorCodes(12, curve)
    profile = profile_for(ColorCodes(12, curve))
    assert profile is not None
    assert space_of(profile) == "RGB"


@pytest.mark.parametrize(
    ("codes", "space"),
    [
        (ColorCodes(9, 16), "BT.2020 PQ"),
        (ColorCodes(9, 18), "BT.2020 HLG"),
        (ColorCodes(9, 13), "BT.2020"),
        (ColorCodes(1, 16), "PQ"),
        (ColorCodes(1, 8), "linear"),
        (ColorCodes(11, 13), "DCI-P3"),
        (ColorCodes(12, 16), "Display P3 PQ"),
        (ColorCodes(5, 1), "H.273 code 5"),
        (ColorCodes(300, 1), "H.273 code 300"),
        (ColorCodes(1, 13, full_range=False), "a narrow range"),
        (ColorCodes(12, 13, full_range=False), "Display P3"),
    ],
)
def test_other_spaces_have_a_phrase(codes: ColorCodes, space: str) -> None:
    assert profile_for(codes) is None
    assert phrase(codes) == f"colours in {space} taken as sRGB"
    assert codes.full_range is False or codes_of(avif(codes.primaries, codes.curve), "avif") == codes


@pytest.mark.parametrize("codes", [ColorCodes(9, 16), ColorCodes(9, 18, full_range=False), ColorCodes(1, 13, full_range=False)])
def test_the_chunk_states_the_codes(codes: ColorCodes) -> None:
    kind, body = chunk(codes)
    assert kind == b"cICP"
    assert codes_of(bytes(8) + b"\0\0\0\4" + kind + body + bytes(4), "png") == codes


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "png"),
        (b"", "avif"),
        (b"\x89PNG cICP\x09", "png"),  # cut off
        (png(9, 16)[:-13], "png"),
        (bytes(8) + b"\0\0\0\3cICP\x09\x10\0" + bytes(4), "png"),  # too short
        (avif(9, 16)[:-4], "avif"),
        (bytes(1 << 14) + avif(9, 16), "avif"),  # far behind the header
        (png(9, 16), "jpeg"),
        (avif(9, 16), "jpeg"),
    ],
)
def test_nothing_stated_is_srgb(data: bytes, name: str) -> None:
    assert codes_of(data, name) is None
