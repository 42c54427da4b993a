"""One picture's way from bytes to bytes, for a worker thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from upconv.runtime import Picture, Target, Upscaler, codecs
from upconv.runtime.errors import Cancelled, ImageTooLargeError
from upconv.service import body


@dataclass(frozen=True)
class Order:
    """What is to become of a picture."""

    data: bytes
    """The request's body."""
    content_type: str
    target: Target
    format: str | None
    """Of the result; that of the picture where none is given, or PNG where that cannot be written."""
    quality: int
    max_pixels: int
    """Largest picture to decode."""
    max_output_pixels: int
    """Largest picture to compute."""


@dataclass(frozen=True)
class Result:
    """An encoded picture, and how it came about."""

    data: bytes
    format: str
    conversions: tuple[str, ...]
    """What could not be kept."""
    tiles: int
    pixels_in: int
    pixels_out: int
    seconds: dict[str, float]
    """Time taken by each stage: decode, infer, encode."""


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started


def carry_out(order: Order, upscaler: Upscaler, called_off: threading.Event) -> Result:
    """Decode, enlarge and encode; stops soon after `called_off` is set.

    Raises `Cancelled` then, `ImageError` and its children for a picture that is none, damaged or too large, and
    `ParameterError` for what makes no sense.
    """
    clock = _Clock()
    with clock.stage("decode"):
        picture = codecs.decode(body.picture_in(order.data, order.content_type), order.max_pixels)
    tiles = _tiles(picture, order, upscaler)
    go_on(called_off)
    with clock.stage("infer"):
        enlarged = upscaler.run(picture, order.target, lambda *_: go_on(called_off))
    go_on(called_off)
    format = order.format or (picture.format if picture.format in codecs.WRITABLE else "png")
    if order.format is None and format != picture.format:
        enlarged = enlarged.noting(f"{picture.format} became {format}, as {picture.format} is not written")
    with clock.stage("encode"):
        data, noted = codecs.encode(enlarged, format, order.quality)
    sizes = picture.width * picture.height, enlarged.width * enlarged.height
    return Result(data, format, noted.conversions, tiles, *sizes, clock.seconds)


def go_on(called_off: threading.Event) -> None:
    """Raise `Cancelled` where the work was called off."""
    if called_off.is_set():
        raise Cancelled("the request was called off")


def _tiles(picture: Picture, order: Order, upscaler: Upscaler) -> int:
    """How many tiles are computed in all passes; raises `ImageTooLargeError` where one gives too many pixels."""
    width, height = order.target.size(picture.width, picture.height, upscaler.scale)
    _limit(width, height, order, "the result")
    tiles, (wide, tall) = 0, (picture.width, picture.height)
    while wide < width or tall < height:
        _limit(wide * upscaler.scale, tall * upscaler.scale, order, f"on the way to {width}x{height} the picture")
        tiles += len(upscaler.engine.plan(tall, wide).tiles)
        wide, tall = wide * upscaler.scale, tall * upscaler.scale
    return tiles


def _limit(width: int, height: int, order: Order, what: str) -> None:
    if width * height > order.max_output_pixels:
        raise ImageTooLargeError(f"{what} would have {width}x{height} pixels; at most {order.max_output_pixels} are allowed")
