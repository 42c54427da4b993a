from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.exif import ExifBlock

Entry = tuple[int, int, int, bytes]


def short(tag: int, value: int, order: str) -> Entry:
    return tag, 3, 1, struct.pack(f"{order}H", value)


def long(tag: int, value: int, order: str) -> Entry:
    return tag, 4, 1, struct.pack(f"{order}I", value)


def directory(start: int, entries: list[Entry], following: int, order: str) -> bytes:
    """Return a directory at an offset, with the values that are too long for it behind it."""
    place, head, values = start + 2 + 12 * len(entries) + 4, struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            value, values = struct.pack(f"{order}I", place + len(values)), values + value
        head += struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
    return head + struct.pack(f"{order}I", following) + values


def block(order: str, thumbnail: bytes = b"", behind: bytes = b"", orientation: int = 6) -> bytes:
    """Return an EXIF block as cameras write it: with a maker note of private offsets, unknown tags and a thumbnail."""
    resolution = struct.pack(f"{order}II", 300, 1)
    first = [
        (0x010F, 2, 4, b"Cam\0"),
        short(0x0112, orientation, order),
        (0x011A, 5, 1, resolution),
        (0x011B, 5, 1, resolution),
        short(0x0128, 2, order),
        short(0x4746, 5, order),
        long(0x8769, 200, order),
        (0xC4A5, 7, 12, b"PrintIM\0abcd"),
    ]
    details = [
        (0x927C, 7, 40, b"MAKER\0" + struct.pack(f"{order}I", 12_345) + bytes(range(30))),
        short(0xA001, 65535, order),
        short(0xA002, 60, order),
        long(0xA003, 40, order),
        long(0xA005, 350, order),
    ]
    index = directory(350, [(0x0001, 2, 4, b"R03\0")], 0, order)
    second = [short(0x0103, 6, order), long(0x0201, 500, order), long(0x0202, len(thumbnail), order)]
    whole = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    whole += directory(8, first, 400 if thumbnail else 0, order)
    for place, part in ((200, directory(200, details, 0, order)), (350, index), (400, directory(400, second, 0, order))):
        whole = whole.ljust(place, b"\0") + part
    return whole.ljust(500, b"\0") + thumbnail + behind


def changed(before: bytes, after: bytes) -> set[int]:
    return {place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other}


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_values_that_no_longer_apply_change(order: str) -> None:
    before = block(order)
    made = ExifBlock(b"Exif\0\0" + before)
    assert (made.orientation, made.pixels_per_mm) == (6, (300 / 25.4, 300 / 25.4))
    made.set_upright()
    made.set_size(120, 80)
    made.set_density(600 / 25.4, 450.5 / 25.4)
    made.remove_thumbnail()
    after = bytes(made)
    assert len(after) == len(before)
    assert len(changed(before, after)) <= 1 + 4 + 8
    found = Image.Exif()
    found.load(after)
    assert (found[0x0112], found[0x011A], found[0x011B], found[0x4746]) == (1, 600, 450.5, 5)
    details = found.get_ifd(0x8769)
    assert (details[0xA002], details[0xA003], details[0x927C][6:]) == (120, 80, block(order)[before.index(b"MAKER") + 6 :][:34])
    assert made.orientation == 1
    assert made.pixels_per_mm == pytest.approx((600 / 25.4, 450.5 / 25.4))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_side_that_needs_more_than_16_bits(order: str) -> None:
    made = ExifBlock(block(order))
    made.set_size(65_535, 9)
    assert changed(block(order), bytes(made)) == changed(block(order), bytes(made)) - {200 + 2 + 24 + 3}
    made.set_size(65_536, 9)
    found = Image.Exif()
    found.load(bytes(made))
    assert found.get_ifd(0x8769)[0xA002] == 65_536


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("behind", "length"), [(b"", 500), (b"maker data", 500 + 20 + 10)])
def test_the_thumbnail_goes_and_what_is_behind_it_stays(order: str, behind: bytes, length: int) -> None:
    made = ExifBlock(block(order, b"\xff\xd8thumbnail of old\xff\xd9", behind))
    made.remove_thumbnail()
    after = bytes(made)
    assert (len(after), b"thumbnail" in after, after.endswith(behind)) == (length, False, True)
    found = Image.Exif()
    found.load(after)
    assert found.get_ifd(0x0201 and 1) == {}
    assert found[0x010F] == "Cam"


def test_a_thumbnail_beyond_the_end_of_the_block_erases_nothing() -> None:
    before = block("<", b"\xff\xd8thumbnail\xff\xd9")
    made = ExifBlock(before[:-3])
    made.remove_thumbnail()
    assert len(bytes(made)) == len(before) - 3
    assert len(changed(before[:-3], bytes(made))) <= 4


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_colour_space_becomes_srgb(order: str) -> None:
    made = ExifBlock(block(order))
    made.set_srgb()
    found = Image.Exif()
    found.load(bytes(made))
    assert found.get_ifd(0x8769)[0xA001] == 1
    assert b"R98\0" in bytes(made)


@pytest.mark.parametrize(("unit", "expected"), [(1, None), (2, 300 / 25.4), (3, 30.0)])
def test_units_of_the_resolution(unit: int, expected: float | None) -> None:
    before = block("<").replace(struct.pack("<HHIH", 0x128, 3, 1, 2), struct.pack("<HHIH", 0x128, 3, 1, unit))
    made = ExifBlock(before)
    assert made.pixels_per_mm == (None if expected is None else (expected, expected))
    made.set_density(60, 60)
    assert (bytes(made) == before) == (expected is None)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_that_makes_no_sense_is_none(orientation: int) -> None:
    assert ExifBlock(block("<", orientation=orientation)).orientation is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08",
        bytes(100),
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x02\0\0\0" + bytes(9),
    ],
)
def test_blocks_that_make_no_sense_stay(wrong: bytes) -> None:
    made = ExifBlock(wrong)
    change_all(made)
    assert (bytes(made), made.orientation, made.pixels_per_mm) == (wrong, None, None)


def change_all(made: ExifBlock) -> None:
    made.set_upright()
    made.set_size(1 << 17, 1 << 40)
    made.set_density(1e12, 1e-9)
    made.set_srgb()
    made.remove_thumbnail()


@pytest.mark.parametrize("order", ["<", ">"])
def test_wrong_bytes_raise_nothing_and_never_lengthen_the_block(order: str) -> None:
    before, random = block(order, b"\xff\xd8thumbnail\xff\xd9"), np.random.default_rng(0)
    for _ in range(500):
        wrong = bytearray(before)
        for place in random.integers(0, 440, 5):
            wrong[place] = int(random.integers(0, 256))
        made = ExifBlock(bytes(wrong))
        change_all(made)
        assert len(bytes(made)) <= len(before)
    for length in range(len(before)):
        made = ExifBlock(before[:length])
        change_all(made)
        assert len(bytes(made)) <= length


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
def test_tags_that_no_library_knows_come_through(source: str, format: str, pillow: Any) -> None:
    before = block(">", b"\xff\xd8thumbnail\xff\xd9", b"maker data")
    picture = codecs.decode(pillow(np.zeros((40, 60, 3), np.uint8), source, exif=b"Exif\0\0" + before))
    data = codecs.encode(picture, format)[0]
    after = Image.open(io.BytesIO(data)).info["exif"].removeprefix(b"Exif\0\0")
    assert len(after) == len(before)
    assert after[:8] == before[:8]
    assert after.endswith(b"maker data")
    assert b"thumbnail" not in data
