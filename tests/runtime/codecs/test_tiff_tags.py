from __future__ import annotations

import struct

import pytest

from upconv.runtime.codecs import tiff_tags

BYTE, SHORT, LONG, RATIONAL = 1, 3, 4, 5
Entry = tuple[int, int, bytes]


def directory(order: str, big: bool, entries: list[Entry], following: int) -> bytes:
    """A directory whose entries are tag, type and the bytes of the value."""
    count, offset = ("Q", "Q") if big else ("H", "I")
    size = 8 if big else 4
    packed = b"".join(
        struct.pack(f"{order}HH{offset}", tag, kind, 1) + value.ljust(size, b"\0") for tag, kind, value in entries
    )
    return struct.pack(f"{order}{count}", len(entries)) + packed + struct.pack(f"{order}{offset}", following)


def tiff(entries: list[Entry], order: str = "<", big: bool = False, pages: int = 1, cyclic: bool = False) -> bytes:
    """A file of equal directories, one after the other; the last may lead back to the first."""
    mark = b"II" if order == "<" else b"MM"
    start = 16 if big else 8
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, start) if big else struct.pack(f"{order}HI", 42, start)
    length = len(directory(order, big, entries, 0))
    places = [start + length * number for number in range(pages)] + [start if cyclic else 0]
    return mark + head + b"".join(directory(order, big, entries, place) for place in places[1:])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_integers_of_both_byte_orders_and_offset_sizes(order: str, big: bool) -> None:
    entries = [(256, SHORT, struct.pack(f"{order}H", 640)), (322, LONG, struct.pack(f"{order}I", 70_000)), (254, BYTE, b"\1")]
    assert tiff_tags.first_directory(tiff(entries, order, big)) == {256: 640, 322: 70_000, 254: 1}


def test_a_value_of_another_type_is_zero() -> None:
    assert tiff_tags.first_directory(tiff([(282, RATIONAL, b"\1\0\0\0")])) == {282: 0}


@pytest.mark.parametrize("data", [b"", b"II", b"II*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff"])
def test_a_directory_beyond_the_end_is_empty(data: bytes) -> None:
    assert tiff_tags.first_directory(data) == {}


def test_a_directory_that_is_cut_off_or_too_long_is_read_as_far_as_it_goes() -> None:
    entries = [(256, SHORT, b"\1"), (257, SHORT, b"\2")]
    assert tiff_tags.first_directory(tiff(entries)[:22])[256] == 1
    many = [(tag, SHORT, b"\1") for tag in range(1000, 1600)]
    assert len(tiff_tags.first_directory(tiff(many))) == 512


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("pages", "most", "count"), [(1, 9, 1), (3, 9, 3), (3, 2, 2)])
def test_directories_are_counted_up_to_a_limit(big: bool, pages: int, most: int, count: int) -> None:
    assert tiff_tags.count_directories(tiff([(256, SHORT, b"\1")], big=big, pages=pages), most) == count


def test_directories_in_a_cycle_are_counted_up_to_the_limit() -> None:
    assert tiff_tags.count_directories(tiff([], pages=2, cyclic=True), 100) == 100


def test_no_directory_is_counted_beyond_the_end() -> None:
    assert tiff_tags.count_directories(b"II*\0\xff\xff\0\0", 9) == tiff_tags.count_directories(b"", 9) == 0


@pytest.mark.parametrize(
    ("tags", "raw"),
    [
        ({}, False),
        ({tiff_tags.PHOTOMETRIC: 2}, False),
        ({tiff_tags.PHOTOMETRIC: 32803}, True),  # a colour filter array
        ({tiff_tags.PHOTOMETRIC: 34892}, True),  # linear raw
        ({tiff_tags.DNG_VERSION: 1}, True),
        ({tiff_tags.SUBFILE: 1, tiff_tags.SUB_DIRECTORIES: 8}, True),  # a thumbnail before the raw picture
        ({tiff_tags.SUBFILE: 1}, False),
        ({tiff_tags.SUBFILE: 2, tiff_tags.SUB_DIRECTORIES: 8}, False),
        ({tiff_tags.SUB_DIRECTORIES: 8}, False),
    ],
)
def test_raw_files_of_cameras(tags: dict[int, int], raw: bool) -> None:
    assert tiff_tags.is_raw(tags) == raw
