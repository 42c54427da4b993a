from __future__ import annotations

import pytest

from upconv.runtime.codecs.cicp import profile_for
from upconv.runtime.codecs.profiles import space_of


def png(primaries: int, curve: int) -> bytes:
    """The parts of a PNG file that matter here: a cICP chunk before the pixels."""
    return b"\x89PNG\0\0\0\4cICP" + bytes([primaries, curve, 0, 1]) + b"\0\0\0\0IDAT"


def avif(primaries: int, curve: int) -> bytes:
    """The part of an AVIF file that matters here: a colr box."""
    return b"\0\0\0\x13colrnclx" + primaries.to_bytes(2, "big") + curve.to_bytes(2, "big") + b"\0\0\0"


@pytest.mark.parametrize("curve", [1, 2, 6, 13, 14, 15])
@pytest.mark.parametrize("primaries", [1, 2])
def test_srgb_needs_no_profile(primaries: int, curve: int) -> None:
    assert profile_for(png(primaries, curve), "png") == profile_for(avif(primaries, curve), "avif") == (None, ())


@pytest.mark.parametrize("curve", [1, 2, 6, 13, 14, 15])
def test_display_p3_gets_its_profile(curve: int) -> None:
    profile, notes = profile_for(avif(12, curve), "avif")
    assert profile is not None
    assert space_of(profile) == "RGB"
    assert (profile, notes) == profile_for(png(12, curve), "png") == (profile, ())


@pytest.mark.parametrize(
    ("primaries", "curve", "space"),
    [
        (9, 16, "BT.2020 PQ"),
        (9, 18, "BT.2020 HLG"),
        (9, 13, "BT.2020"),
        (1, 16, "PQ"),
        (1, 8, "linear"),
        (11, 13, "DCI-P3"),
        (12, 16, "Display P3 PQ"),
        (5, 1, "H.273 code 5"),
        (300, 1, "H.273 code 300"),
    ],
)
def test_other_spaces_are_taken_as_srgb_and_noted(primaries: int, curve: int, space: str) -> None:
    assert profile_for(avif(primaries, curve), "avif") == (None, (f"colours in {space} taken as sRGB",))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "png"),
        (b"", "avif"),
        (b"\x89PNG cICP\x09", "png"),  # cut off
        (png(9, 16)[:-11], "png"),
        (avif(9, 16)[:-4], "avif"),
        (b"\x89PNG IDAT cICP\x09\x10\0\1....", "png"),  # after the pixels
        (bytes(1 << 14) + avif(9, 16), "avif"),  # far behind the header
        (png(9, 16), "jpeg"),
        (avif(9, 16), "jpeg"),
    ],
)
def test_nothing_stated_is_srgb(data: bytes, name: str) -> None:
    assert profile_for(data, name) == (None, ())
