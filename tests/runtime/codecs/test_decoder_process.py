from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from upconv.runtime import canvas
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import decoder_process
from upconv.runtime.codecs.decoder_process import decoded_apart
from upconv.runtime.errors import Cancelled, ImageError, OutOfMemoryError, OutputError
from upconv.runtime.spool import spool_of

Encoded = Callable[..., bytes]


@pytest.fixture
def picture(pillow: Encoded, photograph: Any) -> bytes:
    return pillow(photograph(120, 160), "JPEG2000")


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let the decoder be another program."""
    start = subprocess.Popen

    def started(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return start([command[0], "-c", program], **options)

    monkeypatch.setattr(subprocess, "Popen", started)


def test_samples_arrive_as_they_are(picture: bytes, photograph: Any) -> None:
    found, samples = decoded_apart(picture, "jp2", (160, 120), None)
    np.testing.assert_array_equal(samples, photograph(120, 160))
    assert (found.shape, found.bits, found.notes) == ((120, 160, 3), None, ())


def test_large_samples_are_kept_on_disk(picture: bytes, photograph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "SPOOL_BYTES", 1000)
    _, samples = decoded_apart(picture, "jp2", (160, 120), None)
    assert spool_of(samples) is not None
    np.testing.assert_array_equal(samples, photograph(120, 160))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "damaged: its decoder ended with status -11"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "its decoder takes too long for a picture of its size"),
        ("print('cut')", "damaged: its decoder ended with status 0"),
        ("import sys; sys.exit('no such thing')", "damaged: its decoder ended with status 1"),
    ],
)
def test_a_fault_of_the_decoder_is_one_of_the_picture(
    program: str, words: str, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, program)
    with pytest.raises(ImageError, match=words):
        decoded_apart(picture, "jp2", (160, 120), None)


def test_a_decoder_that_the_system_kills_lacks_memory(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(OutOfMemoryError, match="the system killed the decoder"):
        decoded_apart(picture, "jp2", (160, 120), None)


def test_a_decoder_has_limits_of_time_and_memory(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "LEAST_BYTES", 1 << 20)
    with pytest.raises(ImageError, match="jp2 data is damaged"):
        decoded_apart(picture, "jp2", (160, 120), None)
    monkeypatch.setattr(decoder_process, "LEAST_BYTES", 1 << 30)
    monkeypatch.setattr(decoder_process, "LEAST_CPU_S", 0)
    with pytest.raises((ImageError, OutOfMemoryError)):  # a limit of 0 seconds ends the process at once
        decoded_apart(picture, "jp2", (160, 120), None)


def test_a_cancellation_kills_the_decoder(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import time; time.sleep(100)")
    cancellation = Cancellation()
    threading.Timer(0.2, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        decoded_apart(picture, "jp2", (160, 120), cancellation)


def test_a_decoder_that_cannot_be_started(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OutputError, match="the process of the decoder cannot be started: No such file"):
        decoded_apart(picture, "jp2", (160, 120), None)


def heic(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["jp2", "heic"])
def test_damaged_files_neither_crash_nor_hang(name: str, pillow: Encoded) -> None:
    """Each costs a process, so they are few; `tests/system/hostile.py` has more kinds."""
    noise = Image.effect_noise((48, 48), 50).convert("RGB")
    plain = pillow(noise, "JPEG2000") if name == "jp2" else heic(noise)
    generator, said = np.random.default_rng(0), []
    for number in range(12):
        data = bytearray(plain[: len(plain) - 40 * (number % 2)])
        for place in generator.integers(20, len(data), 6):
            data[place] = generator.integers(0, 256)
        with contextlib.suppress(ImageError):
            decoded_apart(bytes(data), name, (48, 48), None)
            continue
        said.append(name)
    assert len(said) >= 6, "those that are cut are refused"
