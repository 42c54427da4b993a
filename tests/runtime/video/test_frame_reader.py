from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from upconv.runtime.errors import ImageError, ImageTooLargeError
from upconv.runtime.video import check_frame_size, frames, parse_raw, read_header
from upconv.runtime.video.frame_reader import MAX_MARKER_BYTES, read_exactly
from upconv.runtime.video.y4m_header import MAX_HEADER_BYTES

RawFile = Callable[[bytes], io.RawIOBase]
HEADER = b"YUV4MPEG2 W100 H80 C444\n"
ONE, TWO = b"\1" * 24_000, b"\2" * 24_000


def read(stream: bytes, raw_file: RawFile, skip: int = 0) -> list[bytes]:
    file = raw_file(stream)
    return list(frames(file, read_header(file), skip=skip))


@pytest.mark.parametrize(("skip", "expected"), [(0, [ONE, TWO]), (1, [TWO]), (2, [])])
def test_frames_come_whole_from_a_pipe(skip: int, expected: list[bytes], raw_file: RawFile) -> None:
    assert read(HEADER + b"FRAME\n" + ONE + b"FRAME XNOTE=1\n" + TWO, raw_file, skip) == expected


def test_raw_frames_have_no_marker(raw_file: RawFile) -> None:
    assert list(frames(raw_file(ONE + TWO), parse_raw("rgb24:100x80"))) == [ONE, TWO]


@pytest.mark.parametrize(
    ("stream", "whole", "sentence"),
    [
        (
            b"FRAME\n" + ONE + b"FRAME\n" + TWO[:-1],
            1,
            "the middle of frame 1, after 23999 of 24000 bytes; 1 before it are whole",
        ),
        (b"FRAME\n" + ONE + b"FRAME\n", 1, "the middle of frame 1, after 0 of 24000 bytes"),
        (b"FRAME\n" + ONE + b"FRA", 1, "frame 1 does not begin with FRAME"),
        (b"FRAME\n" + ONE[:-9] + b"FRAME\n" + TWO, 1, "does not begin with FRAME, so the header lies; it states 100x80"),
        (b"FRAME It\n" + ONE, 0, "frame 0 has parameters of its own (It)"),
        (b"FRAME W64\n" + ONE, 0, "frame 0 has parameters of its own (W64)"),
        (b"FRAME X" + b"a" * MAX_MARKER_BYTES + b"\n" + ONE, 0, "does not begin with FRAME"),
        (b"", 0, "has 0 frames; expected more than the 3"),
    ],
)
def test_whole_frames_come_before_the_sentence(stream: bytes, whole: int, sentence: str, raw_file: RawFile) -> None:
    file = raw_file(HEADER + stream)
    iterator = frames(file, read_header(file), skip=0 if stream else 3)
    for _ in range(whole):
        next(iterator)
    with pytest.raises(ImageError) as raised:
        next(iterator)
    assert sentence in str(raised.value)


def test_a_raw_frame_that_is_not_whole(raw_file: RawFile) -> None:
    with pytest.raises(ImageError, match="in the middle of frame 0, after 5 of 24000"):
        list(frames(raw_file(b"abcde"), parse_raw("rgb24:100x80")))


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (b"", "the stream is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 5000, "no YUV4MPEG2 stream"),
        (b"YUV4MPEG2 W4 H4", "does not end within"),
        (b"YUV4MPEG2 W4 H4 X" + b"a" * 100_000, f"does not end within {MAX_HEADER_BYTES} bytes"),
    ],
)
def test_a_header_that_cannot_be_read(stream: bytes, sentence: str, raw_file: RawFile) -> None:
    with pytest.raises(ImageError, match=sentence):
        read_header(raw_file(stream))


@pytest.mark.parametrize(("length", "accepted"), [(MAX_HEADER_BYTES, True), (MAX_HEADER_BYTES + 1, False)])
def test_the_longest_header(length: int, accepted: bool, raw_file: RawFile) -> None:
    line = b"YUV4MPEG2 W4 H4 X"
    file = raw_file(line + b"a" * (length - len(line) - 1) + b"\n")
    if accepted:
        assert read_header(file).width == 4
    else:
        with pytest.raises(ImageError, match="does not end"):
            read_header(file)


@pytest.mark.parametrize(("max_pixels", "accepted"), [(8000, True), (7999, False)])
def test_the_largest_frame(max_pixels: int, accepted: bool) -> None:
    if accepted:
        check_frame_size(parse_raw("rgb24:100x80"), max_pixels)
    else:
        with pytest.raises(ImageTooLargeError, match="100x80 pixels a frame; at most 7999"):
            check_frame_size(parse_raw("rgb24:100x80"), max_pixels)


def test_absurd_sizes_take_no_memory(raw_file: RawFile) -> None:
    with pytest.raises(ImageTooLargeError):
        check_frame_size(read_header(raw_file(b"YUV4MPEG2 W999999999 H999999999\n")))


def test_a_file_that_cannot_be_read() -> None:
    class Broken(io.RawIOBase):
        def readinto(self, buffer: object) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(ImageError, match="cannot read the stream: Input/output error"):
        read_exactly(Broken(), 4)
