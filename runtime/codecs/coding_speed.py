"""The speed of decoding and encoding each format on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np

from upconv.runtime.codecs.decoding import decode
from upconv.runtime.codecs.encoding import encode
from upconv.runtime.codecs.formats import WRITABLE
from upconv.runtime.picture import Picture
from upconv.runtime.resampling import resize

T = TypeVar("T")

_USUAL_S = 25e-9
"""Seconds of a pixel before the measurement, and of formats that are not measured."""
_FAST_PX, _SLOW_PX = 256, 96
"""Sides of the pictures that are measured. The slow encoders take a small one, so that all take about a tenth of a second."""
_SLOW = (("webp", True), ("avif", False), ("avif", True))
_CAN_BE_LOSSLESS = ("webp", "avif")
"""Formats in which a result is lossless only if that is asked for."""
_GRAIN_PX = 8
"""Size of the structures in these pictures. Encoders take longer for finer ones."""


@dataclass(frozen=True)
class CodingSpeeds:
    """Seconds of one core for each pixel, by format."""

    reading: Mapping[str, float] = field(default_factory=dict)
    """By format."""
    writing: Mapping[tuple[str, bool], float] = field(default_factory=dict)
    """By format, and true for lossless results."""

    def read_s(self, format: str, pixels: int) -> float:
        """Return the predicted seconds of decoding a picture."""
        return pixels * self.reading.get(format, _USUAL_S)

    def write_s(self, format: str, lossless: bool, pixels: int) -> float:
        """Return the predicted seconds of encoding a picture, at the effort that `encode` uses."""
        return pixels * self.writing.get((format, lossless), self.writing.get((format, False), _USUAL_S))


UNMEASURED = CodingSpeeds()
"""Speeds before any measurement: all formats are as fast as JPEG."""


def measure() -> CodingSpeeds:
    """Return the speeds, measured on a small picture for each format, with and without loss. It takes about 0.1 s."""
    fast, slow = _picture(_FAST_PX), _picture(_SLOW_PX)
    encode(fast, "jpeg")  # the first call initialises libvips
    reading, writing = dict[str, float](), dict[tuple[str, bool], float]()
    for name, lossless in product(WRITABLE, (False, True)):
        if lossless and name not in _CAN_BE_LOSSLESS:
            continue
        picture = slow if (name, lossless) in _SLOW else fast
        writing[name, lossless], file = _timed(partial(_encoded, picture, name, lossless), picture)
        reading[name], _ = _timed(partial(decode, file), picture)
    return CodingSpeeds(reading, writing)


def _picture(side: int) -> Picture:
    noise = np.random.default_rng(0).integers(0, 256, (side // _GRAIN_PX, side // _GRAIN_PX, 3), np.uint8)
    return Picture(resize(noise, side, side))


def _encoded(picture: Picture, name: str, lossless: bool) -> bytes:
    return encode(picture, name, lossless=lossless)[0]


def _timed(work: Callable[[], T], picture: Picture) -> tuple[float, T]:
    """Return the seconds of a pixel, and the result of the work."""
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) / (picture.width * picture.height), result
