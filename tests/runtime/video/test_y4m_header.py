from __future__ import annotations

import pytest

from upconv.runtime.errors import ImageError
from upconv.runtime.video.y4m_header import DEPTHS, parse_header

FFMPEG = b"YUV4MPEG2 W640 H360 F30000:1001 Ip A16:15 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED"


def test_a_header_of_ffmpeg_keeps_everything_but_its_size() -> None:
    header = parse_header(FFMPEG)
    assert (header.width, header.height, header.layout.bits, header.full_range) == (640, 360, 8, False)
    assert header.line() == FFMPEG + b"\n"
    assert header.resized(1280, 720).line() == FFMPEG.replace(b"W640 H360", b"W1280 H720") + b"\n"


@pytest.mark.parametrize(
    ("size", "aspect"),
    [
        ((1280, 720), "A16:15"),
        ((961, 540), "A16:15"),  # rounded, not stretched
        ((1280, 1440), "A32:15"),
        ((2560, 720), "A8:15"),
    ],
)
def test_the_aspect_of_pixels_changes_only_if_frames_are_stretched(size: tuple[int, int], aspect: str) -> None:
    assert aspect in parse_header(FFMPEG).resized(*size).line().decode().split()


def test_an_unknown_aspect_stays_unknown() -> None:
    assert b" A0:0\n" in parse_header(b"YUV4MPEG2 W4 H4 A0:0").resized(8, 4).line()


@pytest.mark.parametrize(
    ("layout", "bits", "shapes"),
    [
        ("", 8, ((5, 7), (3, 4), (3, 4))),
        ("C420", 8, ((5, 7), (3, 4), (3, 4))),
        ("C420mpeg2", 8, ((5, 7), (3, 4), (3, 4))),
        ("C411", 8, ((5, 7), (5, 2), (5, 2))),
        ("C422p10", 10, ((5, 7), (5, 4), (5, 4))),
        ("C444p16", 16, ((5, 7), (5, 7), (5, 7))),
        ("Cmono", 8, ((5, 7),)),
        ("Cmono12", 12, ((5, 7),)),
    ],
)
def test_layouts(layout: str, bits: int, shapes: tuple[tuple[int, int], ...]) -> None:
    found = parse_header(f"YUV4MPEG2 W7 H5 {layout}".encode()).layout
    assert (found.bits, found.shapes(7, 5)) == (bits, shapes)
    assert found.frame_bytes(7, 5) == sum(rows * columns for rows, columns in shapes) * (1 if bits == 8 else 2)


def test_the_chroma_of_mpeg_lies_left_and_that_of_jpeg_in_the_middle() -> None:
    def cosited(layout: str) -> tuple[bool, ...]:
        chroma = parse_header(f"YUV4MPEG2 W8 H8 C{layout}".encode()).layout.chroma
        assert chroma is not None
        return tuple(axis.cosited for axis in chroma)

    assert {name: cosited(name) for name in ("420jpeg", "420mpeg2", "420paldv", "420p10")} == {
        "420jpeg": (False, False),
        "420mpeg2": (True, False),
        "420paldv": (True, True),
        "420p10": (True, False),
    }


@pytest.mark.parametrize(
    ("parameters", "full"),
    [("C420jpeg", False), ("C420 XCOLORRANGE=FULL", True), ("Cmono", True), ("Cmono XCOLORRANGE=LIMITED", False)],
)
def test_the_range_is_limited_unless_stated_except_for_grey(parameters: str, full: bool) -> None:
    assert parse_header(f"YUV4MPEG2 W8 H8 {parameters}".encode()).full_range is full


@pytest.mark.parametrize("bits", DEPTHS[1:])
def test_every_depth_that_is_named_is_read(bits: int) -> None:
    assert parse_header(f"YUV4MPEG2 W8 H8 C420p{bits}".encode()).layout.bits == bits


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("P6 4 4", "no YUV4MPEG2 stream"),
        ("YUV4MPEG2 H4", "states no width"),
        ("YUV4MPEG2 W4 H0", "states no height"),
        ("YUV4MPEG2 W-4 H4", "states no width"),
        ("YUV4MPEG2 W4 H9999999999", "states no height"),
        ("YUV4MPEG2 W4 H4 It", "interlaced (It)"),
        ("YUV4MPEG2 W4 H4 Im", "interlaced (Im)"),
        ("YUV4MPEG2 W4 H4 C444alpha", "layout C444alpha"),
        ("YUV4MPEG2 W4 H4 C410", "layout C410"),
        ("YUV4MPEG2 W4 H4 C420p11", "layout C420p11"),
        ("YUV4MPEG2 W4 H4 C420p8", "layout C420p8"),
        ("YUV4MPEG2 W4 H4 C420p", "layout C420p"),
        ("YUV4MPEG2 W4 H4 Cmono32", "layout Cmono32"),
    ],
)
def test_what_is_not_read_is_named(line: str, sentence: str) -> None:
    with pytest.raises(ImageError) as raised:
        parse_header(line.encode())
    assert sentence in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
