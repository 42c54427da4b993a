from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

from upconv.runtime.picture import Picture
from upconv.runtime.video import Y4mFormat, frames, read_header

RawFile = Callable[[bytes], io.RawIOBase]
LAYOUTS = [
    ("yuv420p", "center", "420jpeg"),
    ("yuv420p", "left", "420mpeg2"),
    ("yuv420p", "topleft", "420paldv"),
    ("yuv411p", "left", "411"),
    ("yuv422p", "left", "422"),
    ("yuv444p", "center", "444"),
    ("yuv420p10le", "left", "420p10"),
    ("yuv422p10le", "left", "422p10"),
    ("yuv444p10le", "left", "444p10"),
    ("yuv444p12le", "left", "444p12"),
    ("yuv420p16le", "left", "420p16"),
]
"""ffmpeg's pixel format and place of chroma, with the layout in the header."""


def decoded(stream: bytes, matrix: str, raw_file: RawFile) -> tuple[Y4mFormat, list[Picture]]:
    file = raw_file(stream)
    format = read_header(file, matrix)  # type: ignore[arg-type]
    return format, [format.picture(frame) for frame in frames(file, format)]


@pytest.mark.parametrize(("matrix", "levels"), [("bt601", "tv"), ("bt709", "tv"), ("bt709", "pc")])
@pytest.mark.parametrize(("pixels", "siting", "layout"), LAYOUTS)
def test_colours_are_within_a_step_of_those_of_ffmpeg(
    pixels: str,
    siting: str,
    layout: str,
    matrix: str,
    levels: str,
    colors: np.ndarray,
    y4m: Callable[..., bytes],
    rgb24: Callable[..., np.ndarray],
    raw_file: RawFile,
) -> None:
    stream = y4m(colors, pixels, matrix, levels, siting)
    format, pictures = decoded(stream, matrix, raw_file)
    assert f"C{layout} " in stream[:100].decode("latin-1")
    assert format.stream.full_range == (levels == "pc")
    theirs = rgb24(stream, colors.shape, pixels, matrix, levels, siting)
    inner = np.s_[4:-4, 8:-8]  # ffmpeg treats the border differently
    for picture, expected in zip(pictures, theirs, strict=True):
        assert np.abs(np.rint(picture.samples[inner] / 257) - expected[inner]).max() <= 1
    bits = format.stream.layout.bits
    kind, step = (np.uint8, 1.0) if bits == 8 else (np.uint16, 1.01 * (1 << bits - 8))  # ffmpeg takes 65280 for white
    for color, expected in zip(colors, frames(after_header(stream, raw_file), format), strict=True):
        planes = [np.frombuffer(part, kind) for part in format.frame(Picture(color.astype(np.uint16) * 257))]
        shapes = format.stream.layout.shapes(format.width, format.height)
        given = np.split(np.frombuffer(expected, kind), np.cumsum([plane.size for plane in planes])[:-1])
        for plane, other, (rows, columns) in zip(planes, given, shapes, strict=True):
            within = np.s_[3:-3, 4 * columns // 52 : -4 * columns // 52]
            difference = plane.reshape(rows, columns)[within].astype(int) - other.reshape(rows, columns)[within]
            assert np.abs(difference).max() <= step


def after_header(stream: bytes, raw_file: RawFile) -> io.RawIOBase:
    return raw_file(stream[stream.index(b"\n") + 1 :])


@pytest.mark.parametrize("pixels", ["gray", "gray10le"])
def test_grey_is_grey_and_comes_back_as_it_was(
    pixels: str, colors: np.ndarray, y4m: Callable[..., bytes], raw_file: RawFile
) -> None:
    stream = y4m(colors, pixels, levels="pc")
    format, pictures = decoded(stream, "bt601", raw_file)
    assert pictures[0].samples.shape == (36, 52, 1)
    assert format.canvas() is None
    assert pictures[0].samples.max() == 0
    assert pictures[1].samples.min() >= 255 * 256  # ffmpeg writes 255 as 1020, not 1023
    for picture, frame in zip(pictures, frames(after_header(stream, raw_file), format), strict=True):
        assert b"".join(format.frame(picture)) == frame


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 2), (65, 131), (5, 400)])
@pytest.mark.parametrize("layout", ["420jpeg", "420paldv", "411", "422", "444", "420p10", "mono"])
def test_frames_of_any_size_keep_their_size_and_their_grey(layout: str, size: tuple[int, int], raw_file: RawFile) -> None:
    height, width = size
    format = read_header(raw_file(f"YUV4MPEG2 W{width} H{height} C{layout}\n".encode()))
    picture = Picture(np.full((height, width, 1 if layout == "mono" else 3), 30_000, np.uint16))
    frame = b"".join(format.frame(picture))
    assert len(frame) == format.frame_bytes
    assert np.abs(format.picture(frame).samples.astype(int) - 30_000).max() <= 257
    assert format.picture(frame).samples.shape == picture.samples.shape
