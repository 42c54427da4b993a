from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import Upscaler
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.runtime.video import RawFormat, Y4mFormat, parse_raw, upscaled_frames
from upconv.runtime.video.y4m_header import parse_header

RAW = parse_raw("rgb24:16x12")


def numbered(count: int, format: RawFormat | Y4mFormat = RAW) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 200 + 20]) * format.frame_bytes


def joined(parts: list[memoryview]) -> bytes:
    return b"".join(parts)


def test_frames_stay_in_order(doubler: Upscaler) -> None:
    made = [joined(parts) for parts in upscaled_frames(numbered(60), RAW, doubler, DEFAULTS, in_flight=5)]
    assert made == [bytes([number + 20]) * (4 * RAW.frame_bytes) for number in range(60)]


def test_frames_that_are_kept_do_not_change_when_later_ones_are_computed(doubler: Upscaler) -> None:
    source = Y4mFormat.of(parse_header(b"YUV4MPEG2 W16 H12 C444"))
    greys = [bytes([40 + number]) * 192 + b"\x80" * 384 for number in range(20)]
    made = list(upscaled_frames(greys, source, doubler, DEFAULTS))
    assert [joined(parts) for parts in made] == [frame[:1] * 768 + b"\x80" * 1536 for frame in greys]


def test_an_error_comes_after_the_frames_before_it(doubler: Upscaler) -> None:
    def failing() -> Iterator[bytes]:
        yield from numbered(7)
        raise ImageError("the stream ends")

    made: list[bytes] = []
    with pytest.raises(ImageError, match="the stream ends"):
        made.extend(joined(parts) for parts in upscaled_frames(failing(), RAW, doubler, DEFAULTS))
    assert len(made) == 7


def test_at_most_so_many_frames_are_read_ahead(doubler: Upscaler) -> None:
    read: list[int] = []

    def counted() -> Iterator[bytes]:
        for number, frame in enumerate(numbered(50)):
            read.append(number)
            yield frame

    iterator = upscaled_frames(counted(), RAW, doubler, DEFAULTS, in_flight=3)
    for taken in range(10):
        next(iterator)
        time.sleep(0.01)
        assert len(read) <= taken + 4, "three in flight, and the one that was taken"
    iterator.close()


def test_a_result_does_not_wait_for_the_next_frame(doubler: Upscaler) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield from numbered(1)
        go_on.wait(20)

    iterator = upscaled_frames(slow(), RAW, doubler, DEFAULTS)
    assert joined(next(iterator)) == bytes([20]) * (4 * RAW.frame_bytes)
    go_on.set()
    assert list(iterator) == []


def test_closing_ends_while_a_frame_is_awaited(doubler: Upscaler) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield from numbered(1)
        go_on.wait(20)

    iterator = upscaled_frames(slow(), RAW, doubler, DEFAULTS)
    next(iterator)
    iterator.close()
    go_on.set()


@pytest.mark.parametrize("layout", ["420jpeg", "420p10", "444", "mono"])
def test_other_sizes_than_the_models_own(layout: str, doubler: Upscaler) -> None:
    source = Y4mFormat.of(parse_header(f"YUV4MPEG2 W30 H20 C{layout}".encode()))
    size = UpscaleOptions(width=45, height=41)
    for parts in upscaled_frames(numbered(2, source), source, doubler, size):
        assert len(joined(parts)) == source.resized(45, 41).frame_bytes


def test_the_direct_way_and_the_way_over_a_picture_agree(doubler: Upscaler) -> None:
    source = Y4mFormat.of(parse_header(b"YUV4MPEG2 W62 H44 C420jpeg"))
    noise = np.random.default_rng(0).integers(60, 180, source.frame_bytes).astype(np.uint8).tobytes()
    direct = joined(next(upscaled_frames([noise], source, doubler, DEFAULTS)))
    picture = doubler.run(source.picture(noise))
    other = joined(source.resized(124, 88).frame(picture))
    difference = np.frombuffer(direct, np.uint8).astype(int) - np.frombuffer(other, np.uint8)
    assert np.abs(difference).max() <= 1


def test_a_size_that_is_impossible_is_an_error_before_the_first_frame(doubler: Upscaler) -> None:
    with pytest.raises(ParameterError, match="cannot become"):
        next(upscaled_frames(numbered(1), RAW, doubler, UpscaleOptions(width=5)))


def test_the_border_of_the_options_surrounds_each_frame(nearest_x2: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    with Upscaler(nearest_x2) as upscaler:
        plans = [upscaler.passes(16, 12, UpscaleOptions(border=border)).plans for border in ("wrap", None)]
        (parts,) = upscaled_frames([frame.tobytes()], RAW, upscaler, UpscaleOptions(border="wrap"))
    assert plans[0] != plans[1]
    assert joined(parts) == frame.repeat(2, 0).repeat(2, 1).tobytes()
