from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips

from upconv.runtime import Picture, codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import Animation, encoder_process
from upconv.runtime.codecs.encoder_process import APART_PX, save
from upconv.runtime.errors import Cancelled, ImageError, OutOfMemoryError, OutputError
from upconv.runtime.picture import Metadata
from upconv.runtime.resampling import resize, to_image

Started = list["subprocess.Popen[bytes]"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes of encoders that the test starts."""
    processes: Started = []
    start = encoder_process._started

    def record(order: str) -> subprocess.Popen[bytes]:
        processes.append(start(order))
        return processes[-1]

    monkeypatch.setattr(encoder_process, "_started", record)
    return processes


def picture(side: int, channels: int = 3, *, deep: bool = False) -> Picture:
    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, channels), np.uint8)
    samples = resize(noise, side, side)
    return Picture(samples.astype(np.uint16) * 257 if deep else samples)


def described(plain: Picture) -> Picture:
    """The picture with a resolution, a profile, EXIF and XMP."""
    image = to_image(plain.samples).icc_transform("p3").copy(xres=11.811, yres=5.0)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Someone (Someone, ASCII, 8 components, 8 bytes)")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    return replace(codecs.decode(image.jpegsave_buffer(keep=31)), samples=plain.samples)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize(
    "source",
    [picture(264), picture(264, 4), picture(264, deep=True), picture(264, 4, deep=True), described(picture(264))],
    ids=["rgb", "rgba", "16 bits", "16 bits and alpha", "metadata"],
)
def test_a_process_of_its_own_writes_the_same_bytes(
    source: Picture, lossless: bool, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, noted = codecs.encode(source, "avif", lossless=lossless)
    monkeypatch.setattr(encoder_process, "APART_PX", 1 << 40)
    here = codecs.encode(source, "avif", lossless=lossless)
    assert (apart, noted.conversions) == (here[0], here[1].conversions)
    assert [process.returncode for process in started] == [0]


def test_a_process_of_its_own_writes_the_same_animation(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    animation = Animation.of([picture(200), picture(200).with_samples(255 - picture(200).samples)], (40, 70), 3)
    apart = codecs.encode_frames(animation, "gif")[0]
    monkeypatch.setattr(encoder_process, "APART_PX", 1 << 40)
    assert apart == codecs.encode_frames(animation, "gif")[0]
    assert [process.returncode for process in started] == [0]
    read = codecs.decode_frames(apart)
    assert (read.delays_ms, read.loops, read.frame_height) == ((40, 70), 3, 200)


@pytest.mark.parametrize(
    ("format", "width", "apart"), [("avif", 256, False), ("avif", 257, True), ("webp", 300, False), ("png", 300, False)]
)
def test_only_large_pictures_of_encoders_that_do_not_stop_take_a_process(
    format: str, width: int, apart: bool, started: Started
) -> None:
    assert APART_PX == 256 * 256
    codecs.encode(Picture(np.zeros((256, width, 3), np.uint8)), format)
    assert bool(started) is apart


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff"])
def test_nothing_is_encoded_after_a_cancellation(format: str) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        codecs.encode(picture(400), format, cancellation=cancellation)


@pytest.mark.parametrize("format", ["webp", "gif"])
def test_no_frames_are_encoded_after_a_cancellation(format: str) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        codecs.encode_frames(Animation(picture(400), (40, 40)), format, cancellation=cancellation)


def when_started(started: Started, act: Callable[[subprocess.Popen[bytes]], object]) -> threading.Thread:
    """Call `act` on the process of the encoder as soon as it runs."""

    def wait() -> None:
        while not started:
            time.sleep(0.01)
        act(started[0])

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_cancellation_kills_the_encoder(started: Started) -> None:
    cancellation = Cancellation()
    thread = when_started(started, lambda _: cancellation.cancel())
    with pytest.raises(Cancelled):
        codecs.encode(picture(2400), "avif", lossless=True, cancellation=cancellation)
    thread.join()
    assert started[0].returncode == -signal.SIGKILL


def test_a_cancellation_ends_an_encoder_in_the_middle() -> None:
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(Cancelled):  # uncancelled, this takes a quarter of a minute
        codecs.encode(picture(4000), "webp", lossless=True, cancellation=cancellation)


def test_an_encoder_that_the_system_kills_lacks_memory(started: Started) -> None:
    thread = when_started(started, lambda process: os.kill(process.pid, signal.SIGKILL))
    with pytest.raises(OutOfMemoryError, match="the system killed the encoder"):
        codecs.encode(picture(2400), "avif", lossless=True)
    thread.join()


def test_an_encoder_that_fails_states_why(started: Started) -> None:
    with pytest.raises(pyvips.Error, match="no member 'none'"):
        save(to_image(picture(400).samples), "heifsave_buffer", {"compression": "none"}, None)
    assert started[0].returncode == 1


def test_an_encoder_that_cannot_be_started_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/dev/null/python")
    with pytest.raises(OutputError, match="the process of the encoder cannot be started: Not a directory"):
        codecs.encode(picture(400), "avif")


@pytest.mark.parametrize(
    ("detail", "kind"), [("no such thing", ImageError), ("vips_tracked: out of memory -- size == 45MB", OutOfMemoryError)]
)
def test_what_an_encoder_says_decides(detail: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bytes:
        raise pyvips.Error("unable to call", detail)

    monkeypatch.setattr(encoder_process, "_saved_apart", fail)
    with pytest.raises(kind, match=f"the picture cannot be written as avif: {detail}"):
        codecs.encode(replace(picture(400), metadata=Metadata()), "avif")
