"""Files that mean harm end in one sentence, or in the harmless picture that is in them, in little memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from upconv.runtime import codecs

MOST_MB = 250
"""The limit of a million pixels is 8 MB at most; the rest is the files themselves, the largest 16 MB, and libraries."""
MOST_SECONDS = 5

WORDS = {
    "png of 30000x30000": "30000x30000 pixels; at most",
    "png of 0x10": "a side of the picture is 0 pixels long",
    "png that promises more pixels than it has": "its data breaks off",
    "gif of 0x0": "a side of the picture is 0 pixels long",
    "gif of 20000 frames": "over 10000 frames",
    "webp of 20000 frames": "over 10000 frames",
    "webp of 16383x16383": "16383x16383 pixels; at most",
    "tiff of 60000x60000": "60000x60000 pixels; at most",
    "tiff of 20000 pages": "over 10000 frames or pages",
    "tiff with a tile of 65536x65536": "a tile of the picture has 65536x65536 pixels",
    "tiff of 1000 channels": "1000 channels; expected grey or RGB",
    "tiff that is a camera's": "a camera's RAW file",
    "jpeg of 65500x65500": "65500x65500 pixels; at most",
    "jpeg that promises more pixels than it has": "premature end",
    "jpeg of 5000 scans": "damaged or incomplete",
    "avif of 65535x65535": "65535x65535 pixels; at most",
    "avif of 65025 pictures": "limit exceeded",
    "heic of 65535x65535": "65535x65535 pixels; at most",
    "heic that is larger than it says": "does not have the size signaled",
    "bmp of 30000x30000": "30000x30000 pixels; at most",
    "bmp of an unknown compression": "Unsupported BMP compression",
    "tga of 65535x65535": "65535x65535 pixels; at most",
    "pnm that promises more pixels than it has": "its data breaks off",
    "pnm of 0x10": "its header is invalid",
    "jp2 of 30000x30000": "30000x30000 pixels; at most",
    "jp2 that breaks off": "broken data stream",
}
HARMLESS = {
    "png with too much data",
    "png with a profile that unfolds to 256 MB",
    "png with a text that unfolds to 256 MB",
    "png with 100000 texts",
    "gif of 65535x65535",  # libnsgif takes the size of its one frame
    "gif of 1000 frames of 1000x1000",  # of which one is decoded, and not all
    "webp of 1000 frames of 1000x1000",
    "tiff with a strip that unfolds to 256 MB",
    "tiff with a profile of 1 GB",
    "jpeg with 65535 EXIF entries",
    "heic whose data are zeros",  # libde265 conceals them as grey
    "jpeg with a profile of 16 MB",
}

Row = tuple[str, int, tuple[str, str], float, float]


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    script = Path(__file__).with_name("hostile.py")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=200)
    assert run.returncode == 0, run.stderr
    return {row[0]: row for row in map(json.loads, run.stdout.splitlines())}


def test_there_are_many_kinds_of_every_format(rows: dict[str, Row]) -> None:
    counts = {format: sum(name.startswith(format) for name in rows) for format in codecs.FORMATS}
    assert min(counts.values()) >= 7, counts
    assert sum(counts.values()) >= 55


def test_each_ends_in_one_sentence_or_a_harmless_picture(rows: dict[str, Row]) -> None:
    for name, _, (still, frames), _, _ in rows.values():
        assert (still == "read") == (name in HARMLESS), (name, still)
        for said in (still, frames):
            kind, _, sentence = said.partition(": ")
            assert said == "read" or kind in ("ImageError", "ImageTooLargeError"), (name, said)
            assert said == "read" or (len(sentence) > 20 and "\n" not in sentence and len(sentence) < 300), (name, said)


@pytest.mark.parametrize("name", WORDS)
def test_the_sentence_says_what_is_wrong(name: str, rows: dict[str, Row]) -> None:
    assert WORDS[name] in rows[name][2][0]


def test_none_takes_much_memory_or_time(rows: dict[str, Row]) -> None:
    assert max(row[4] for row in rows.values()) < MOST_MB
    assert max(row[3] for row in rows.values()) < MOST_SECONDS


def test_every_frame_counts_where_every_frame_is_wanted(rows: dict[str, Row]) -> None:
    for format in codecs.ANIMATED:
        assert rows[f"{format} of 1000 frames of 1000x1000"][2][1].startswith("ImageTooLargeError")
