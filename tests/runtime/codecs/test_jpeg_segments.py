from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.jpeg_segments import comments_of, unkept, with_segment

PIXELS = np.zeros((9, 9, 3), np.uint8)


def test_comments_behind_jfif(pillow: Any) -> None:
    made = with_segment(with_segment(pillow(PIXELS, "JPEG"), 0xFE, b"second"), 0xFE, b"first")
    assert comments_of(made) == [b"first", b"second"]
    assert made[2:4] == b"\xff\xe0"
    assert Image.open(io.BytesIO(made)).info["jfif"]


@pytest.mark.parametrize(("length", "fits"), [(65_533, True), (65_534, False)])
def test_the_longest_segment(length: int, fits: bool, pillow: Any) -> None:
    if fits:
        assert comments_of(with_segment(pillow(PIXELS, "JPEG"), 0xFE, bytes(length))) == [bytes(length)]
    else:
        with pytest.raises(ValueError, match="65533"):
            with_segment(pillow(PIXELS, "JPEG"), 0xFE, bytes(length))


@pytest.mark.parametrize(
    ("marker", "body", "phrases"),
    [
        (0xE2, b"MPF\0II*\0", ("further pictures (MPF) dropped",)),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0abc", ("extended XMP dropped",)),
        (0xEB, b"JP\0\1\0\0\0\1jumb", ("content credentials dropped",)),
        (0xE1, b"FLIR\0\1", ("FLIR data dropped",)),
        (0xE5, b"\x1b[2Jx", ("unknown application data dropped",)),
        (0xE5, b"", ("unknown application data dropped",)),
        (0xEC, b"Ducky\0", ()),
        (0xE0, b"JFXX\0\x10", ()),
        (0xED, b"Photoshop 3.0\0", ("further IPTC or Photoshop data dropped",)),
    ],
)
def test_data_that_is_not_kept_is_said(marker: int, body: bytes, phrases: tuple[str, ...], pillow: Any) -> None:
    made = with_segment(with_segment(pillow(PIXELS, "JPEG"), marker, body), marker, body)
    assert unkept(made) == codecs.decode(made).conversions == phrases


@pytest.mark.parametrize(
    "change", [lambda data: data[:2] + bytes(5) + data[2:], lambda data: data[:2] + b"\xff\xff" + data[2:]]
)
def test_bytes_between_segments_are_passed_over(change: Any, pillow: Any) -> None:
    assert comments_of(change(with_segment(pillow(PIXELS, "JPEG"), 0xFE, b"hello"))) == [b"hello"]


def test_files_that_end_early_do_no_harm(pillow: Any) -> None:
    made = with_segment(pillow(PIXELS, "JPEG"), 0xFE, b"hello")
    for length in range(len(made)):
        comments_of(made[:length]), unkept(made[:length] + b"\xff\xe5\0\0")


@pytest.mark.parametrize(
    ("marker", "body", "phrase"),
    [
        (0xED, b"Photoshop 3.0\0", "further IPTC or Photoshop data dropped"),
        (0xE1, b"Exif\0\0", "further EXIF dropped"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0", "further XMP dropped"),
    ],
)
def test_a_second_segment_of_a_kind_is_said(marker: int, body: bytes, phrase: str) -> None:
    once = with_segment(b"\xff\xd8\xff\xd9", marker, body)
    assert unkept(once) == ()
    assert unkept(with_segment(once, marker, body)) == (phrase,)
