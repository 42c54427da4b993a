from __future__ import annotations

import struct

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.codecs.gif_blocks import with_open_canvas


def frame(box: tuple[int, int, int, int], disposal: int = 0, *, control: bool = True, palette: bool = False) -> bytes:
    """Return a frame of one colour, the first of its palette, and a comment before it."""
    codes = [code for _ in range(box[2] * box[3]) for code in (4, 0)] + [5]
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    parts = [packed[start : start + 255] for start in range(0, len(packed), 255)]
    head = bytes([0x21, 0xF9, 4, disposal << 2, 10, 0, 0, 0]) if control else b""
    colors = bytes([0, 0, 250, 0, 250, 0]) if palette else b""
    body = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    return b"\x21\xfe\x03abc\0" + head + b"\x2c" + struct.pack("<4HB", *box, 0x80 * palette) + colors + b"\x02" + body


def gif(*frames: bytes, palette: bool = True) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 6, 0x80 * palette, 0, 0)
    return head + bytes([250, 0, 0, 0, 250, 0]) * palette + b"".join(frames) + b";"


@pytest.mark.parametrize("box", [(0, 2, 8, 4), (1, 0, 7, 6), (0, 0, 8, 5), (0, 0, 7, 6)])
@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("palette", [False, True])
def test_the_open_canvas_is_transparent(box: tuple[int, int, int, int], control: bool, palette: bool) -> None:
    picture = codecs.decode(gif(frame(box, control=control, palette=palette), palette=not palette))
    covered = np.zeros((6, 8), bool)
    covered[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha[..., 0], covered * np.uint8(255))
    assert picture.samples[covered].tolist() == [[0, 0, 250, 255] if palette else [250, 0, 0, 255]] * covered.sum()
    assert picture.conversions == ()


def test_a_canvas_that_is_covered_has_no_opacity() -> None:
    data = gif(frame((0, 0, 8, 6)), frame((1, 1, 2, 2)))
    assert with_open_canvas(data) == (data, 0)
    assert codecs.decode(data).samples.shape == (6, 8, 3)


def test_later_frames_cover_the_canvas_in_their_turn() -> None:
    animation = codecs.decode_frames(gif(frame((0, 0, 8, 3)), frame((0, 3, 8, 3)), frame((0, 0, 1, 1))))
    assert animation.delays_ms == (100, 100, 100)
    assert [int(part.samples[5, 0, 3]) for part in animation.frames] == [0, 255, 255]
    assert codecs.decode(gif(frame((0, 0, 8, 3)), frame((0, 3, 8, 3)))).conversions == ("the first of 2 frames taken",)


@pytest.mark.parametrize(("disposal", "opaque"), [(0, True), (1, True), (3, False)])
def test_a_frame_that_restores_the_empty_canvas(disposal: int, opaque: bool) -> None:
    frames = codecs.decode_frames(gif(frame((0, 0, 8, 6), disposal), frame((1, 1, 2, 2)))).frames
    assert frames[0].samples[0, 0].tolist()[:3] == [250, 0, 0]
    assert (frames[1].alpha is None) == opaque
    if frames[1].alpha is not None:
        assert (frames[1].alpha[0, 0, 0], frames[1].alpha[1, 1, 0]) == (0, 255)


@pytest.mark.parametrize("length", [0, 5, 12, 13, 14, 20, 25, 30, 35, 40])
def test_files_that_end_early_do_no_harm(length: int) -> None:
    data = gif(frame((0, 2, 8, 4)))[:length]
    assert with_open_canvas(data) == (data, 0)
