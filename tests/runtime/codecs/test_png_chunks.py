from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.png_chunks import chunks, unkept, with_chunks

PIXELS = np.zeros((9, 9, 3), np.uint8)


def test_chunks_are_added_behind_the_header_and_removed(pillow: Any) -> None:
    plain = pillow(PIXELS, "PNG")
    made = with_chunks(plain, [(b"tEXt", b"a\0b"), (b"pHYs", bytes(9))])
    assert [kind for kind, _ in chunks(made)] == [b"IHDR", b"tEXt", b"pHYs", b"IEND"]
    assert Image.open(io.BytesIO(made)).info["a"] == "b"
    assert with_chunks(made, [], without=(b"tEXt", b"pHYs")) == plain


@pytest.mark.parametrize(
    ("chunk", "phrases"),
    [
        ((b"prVt", b"x"), ("chunk prVt dropped",)),
        ((b"caBX", b"x"), ("content credentials dropped",)),
        ((b"bKGD", bytes(6)), ()),
        ((b"pHYs", struct.pack(">IIB", 2, 1, 0)), ("pixel aspect ratio dropped",)),
        ((b"pHYs", struct.pack(">IIB", 2, 2, 0)), ()),
        ((b"pHYs", struct.pack(">IIB", 2, 1, 1)), ()),
    ],
)
def test_chunks_that_are_not_kept_are_said(chunk: tuple[bytes, bytes], phrases: tuple[str, ...], pillow: Any) -> None:
    made = with_chunks(pillow(PIXELS, "PNG"), [chunk, chunk] if chunk[0] == b"prVt" else [chunk])
    assert unkept(made) == codecs.decode(made).conversions == phrases


@pytest.mark.parametrize(("count", "named"), [(8, 8), (9, 8)])
def test_eight_kinds_of_chunks_are_named(count: int, named: int, pillow: Any) -> None:
    made = with_chunks(pillow(PIXELS, "PNG"), [(f"pr{chr(65 + number)}t".encode(), b"") for number in range(count)])
    assert len(unkept(made)) == named


def test_files_that_end_early_do_no_harm(pillow: Any) -> None:
    made = with_chunks(pillow(PIXELS, "PNG"), [(b"prVt", b"abc")])
    for length in range(len(made)):
        list(chunks(made[:length])), unkept(made[:length])
