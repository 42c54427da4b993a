"""The speed of decoding and encoding each format on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from upconv.runtime.codecs.decoding import decode
from upconv.runtime.codecs.encoding import encode
from upconv.runtime.codecs.formats import WRITABLE
from upconv.runtime.picture import Picture
from upconv.runtime.resampling import resize

T = TypeVar("T")

USUAL_S = 25e-9
"""Seconds of a pixel in formats that are not measured, roughly those of JPEG."""
_FAST_PX, _SLOW_PX = 256, 96
"""Sides of the pictures that are measured. Slow encoders take the small one, so that each takes less than a tenth of a second."""
_SLOW = (("webp", True), ("avif", False), ("avif", True))
_MAY_BE_LOSSLESS = ("webp", "avif")
_GRAIN_PX = 8
"""Size of the structures in these pictures. Encoders take longer for finer ones."""
_RUNS = 2
"""Each time is the shorter one of these runs. The first may initialise a library."""


class CodingSpeeds:
    """Seconds of one core for each pixel, by format. Threads may share an instance.

    A format is measured on a small picture when it is first asked for. A start thus takes no time and no memory for formats that
    nobody uses.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: dict[str, float] = {}
        self._writing: dict[tuple[str, bool], float] = {}

    def read_s(self, format: str, pixels: int) -> float:
        """Return the predicted seconds of decoding a picture."""
        if format not in WRITABLE:
            return pixels * USUAL_S
        self._measure(format, lossless=False)
        return pixels * self._reading[format]

    def write_s(self, format: str, lossless: bool, pixels: int) -> float:
        """Return the predicted seconds of encoding a picture, at the effort that `encode` uses."""
        if format not in WRITABLE:
            return pixels * USUAL_S
        lossless = lossless and format in _MAY_BE_LOSSLESS
        self._measure(format, lossless=lossless)
        return pixels * self._writing[format, lossless]

    def _measure(self, name: str, *, lossless: bool) -> None:
        with self._lock:
            if (name, lossless) in self._writing:
                return
            picture = _picture(_SLOW_PX if (name, lossless) in _SLOW else _FAST_PX)
            self._writing[name, lossless], file = _timed(partial(_encoded, picture, name, lossless), picture)
            if not lossless:
                self._reading[name], _ = _timed(partial(decode, file), picture)


def _picture(side: int) -> Picture:
    noise = np.random.default_rng(0).integers(0, 256, (side // _GRAIN_PX, side // _GRAIN_PX, 3), np.uint8)
    return Picture(resize(noise, side, side))


def _encoded(picture: Picture, name: str, lossless: bool) -> bytes:
    return encode(picture, name, lossless=lossless)[0]


def _timed(work: Callable[[], T], picture: Picture) -> tuple[float, T]:
    """Return the seconds of a pixel, and the result of the work.

    Other processes lengthen the duration, and other threads the processor time, so the shorter one counts.
    """
    least = float("inf")
    for _ in range(_RUNS):
        started, busy = time.perf_counter(), time.process_time()
        result = work()
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        least = min(least, seconds, busy or seconds)  # a coarse clock may show no processor time
    return least / (picture.width * picture.height), result
