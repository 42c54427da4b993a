from __future__ import annotations

import pytest

from upconv.runtime.codecs.av1_sequence import is_full_range


def bits(*fields: tuple[int, int]) -> str:
    """Return numbers and their lengths as bits."""
    return "".join(f"{value:0{length}b}" for value, length in fields)


def unit(header: str, *, sized: bool = True, kind: int = 1) -> bytes:
    body = int(header.ljust(-len(header) % 8 + len(header), "0"), 2).to_bytes((len(header) + 7) // 8, "big")
    return bytes([kind << 3 | sized << 1]) + (bytes([len(body)]) if sized else b"") + body


SIZE = bits((5, 4), (5, 4), (47, 6), (31, 6))
STILL = bits((0, 3), (1, 1), (1, 1), (4, 5)) + SIZE + "000" + "000"
TIMED = bits((0, 3), (0, 1), (0, 1), (1, 1), (1, 32), (25, 32), (1, 1)) + "00101" + "1" + bits((9, 5), (1, 32), (9, 5), (9, 5))
POINTS = (
    "1" + bits((1, 5), (0, 12), (8, 5)) + "1" + "1" + bits((3, 21)) + "1" + bits((2, 4)) + bits((0, 12), (4, 5)) + "0" + "0"
)
TOOLS = "1" + bits((5, 4), (3, 3)) + "000" + "0000" + "1" + "00" + "1" + "0" + "1" + "101" + "000"
VIDEO = TIMED + POINTS + SIZE + TOOLS
PLAIN = (
    bits((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (4, 5))
    + SIZE
    + "0"
    + "000"
    + "0000"
    + "0"
    + "0"
    + "0"
    + "000"
)


@pytest.mark.parametrize("head", [STILL, VIDEO, PLAIN])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("codes", ["0", "1" + bits((1, 8), (13, 8), (6, 8))])
@pytest.mark.parametrize("grey", ["0", "1"])
def test_the_range_in_the_sequence_header(head: str, full: bool, codes: str, grey: str) -> None:
    header = head + "0" + grey + codes + str(int(full))
    assert is_full_range(unit(header)) == full
    assert is_full_range(bytes([0x12, 0]) + unit(header) + b"\x32\x02ab") == full
    assert is_full_range(unit(header, sized=False)) == full


def test_srgb_without_a_matrix_is_full() -> None:
    codes = "1" + bits((1, 8), (13, 8), (0, 8))
    assert is_full_range(unit(STILL + "0" + "0" + codes)) is True
    assert is_full_range(unit(STILL + "0" + "1" + codes + "0")) is False


@pytest.mark.parametrize(("profile", "depth"), [(1, "0"), (2, "10"), (2, "0" + "0")])
def test_profiles_with_more_colours(profile: int, depth: str) -> None:
    head = bits((profile, 3), (1, 1), (1, 1), (4, 5)) + SIZE + "000" + "000"
    grey = "" if profile == 1 or depth == "00" else "0"
    assert is_full_range(unit(head + depth + grey + "0" + "1")) is True
    assert is_full_range(unit(head + depth + grey + "0" + "0")) is False


@pytest.mark.parametrize(
    "data", [b"", b"\x12\x00", b"\x0a", b"\x0a\x00", b"\x0a\x04\x18", unit(STILL, kind=2), b"\x0a" + b"\xff" * 20]
)
def test_no_header_states_no_range(data: bytes) -> None:
    assert is_full_range(data) in (None, True)
