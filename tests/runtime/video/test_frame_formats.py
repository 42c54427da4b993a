from __future__ import annotations

import numpy as np
import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Picture
from upconv.runtime.video.frame_formats import FrameFormat, Y4mFormat, frame_part, parse_raw
from upconv.runtime.video.y4m_header import parse_header


@pytest.mark.parametrize(("name", "kind"), [("rgb24", np.uint8), ("rgb48le", "<u2")])
def test_raw_frames_are_the_samples(name: str, kind: str) -> None:
    format = parse_raw(f"{name}:5x3")
    samples = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (3, 5, 3)).astype(kind)
    assert format.frame_bytes == samples.nbytes
    picture = format.picture(samples.tobytes())
    np.testing.assert_array_equal(picture.samples, samples)
    assert b"".join(format.frame(picture)) == samples.tobytes()
    planar: FrameFormat = format
    assert (planar.header, planar.marker, planar.canvas()) == (b"", b"", None)
    assert format.resized(10, 6).frame_bytes == 4 * samples.nbytes


@pytest.mark.parametrize("text", ["rgb24", "rgb24:0x4", "rgb24:4", "rgb24:4x4x4", "rgb32:4x4", "bgr24:4x4", "y4m:4x4"])
def test_other_raw_formats_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="such as rgb24:640x360"):
        parse_raw(text)


def test_the_matrix_of_a_stream_stays_when_its_size_crosses_the_limit() -> None:
    format = Y4mFormat.of(parse_header(b"YUV4MPEG2 W640 H360"))
    assert format.matrix == format.resized(1280, 720).matrix == "bt601"
    assert Y4mFormat.of(parse_header(b"YUV4MPEG2 W1280 H720")).matrix == "bt709"
    assert Y4mFormat.of(parse_header(b"YUV4MPEG2 W640 H360"), "bt2020").matrix == "bt2020"


def test_samples_beyond_black_and_white_are_clipped() -> None:
    format = Y4mFormat.of(parse_header(b"YUV4MPEG2 W2 H1 C444"))
    assert format.picture(bytes([0, 255, 128, 128, 128, 128])).samples[0, :, 1].tolist() == [0, 65535]


def test_the_lower_byte_of_a_sample_is_first() -> None:
    assert bytes(frame_part(np.array([[0x0102]], np.uint16))) == b"\x02\x01"


def test_a_canvas_and_a_picture_become_the_same_frame() -> None:
    format = Y4mFormat.of(parse_header(b"YUV4MPEG2 W37 H21 C420jpeg"))
    samples = np.random.default_rng(0).integers(0, 65536, (21, 37, 3)).astype(np.uint16)
    canvas = format.canvas()
    assert canvas is not None
    for top, left in ((0, 0), (0, 20), (9, 0), (9, 20)):
        block = samples[top : top + (9 if top == 0 else 12), left : left + (20 if left == 0 else 17)]
        canvas.write(top, left, list(np.ascontiguousarray(block.transpose(2, 0, 1)).astype(np.float32) / 65535))
    assert b"".join(map(frame_part, canvas.planes())) == b"".join(format.frame(Picture(samples)))
