"""One picture's way from bytes to bytes, for a worker thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from upconv.runtime import Picture, Upscaler, codecs
from upconv.runtime.errors import Cancelled, ImageTooLargeError
from upconv.runtime.schedule import OnTile, Priority
from upconv.runtime.stop import Stop
from upconv.service import body
from upconv.service.parameters import UpscaleQuery
from upconv.service.settings import Limits


@dataclass(frozen=True)
class Order:
    """What is to become of a picture."""

    data: bytes
    """The request's body."""
    asked: UpscaleQuery
    limits: Limits
    content_type: str = ""

    def format_for(self, given: str) -> str:
        """The format of the result of a picture that came in the format `given`: PNG where that cannot be written."""
        return self.asked.format or (given if given in codecs.WRITABLE else "png")


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


def carry_out(
    order: Order,
    upscaler: Upscaler,
    stop: Stop,
    on_tile: OnTile | None = None,
    priority: Priority = Priority.NORMAL,
) -> Result:
    """Decode, enlarge and encode; ends soon after `stop` is said.

    `on_tile(done, total)` is called after each tile of all passes, from any thread.

    Raises `Cancelled` then, `ImageError` and its children for a picture that is none, damaged or too large, and
    `ParameterError` for what makes no sense.
    """
    clock, asked = _Clock(), order.asked
    with clock.stage("decode"):
        picture = _prepared(codecs.decode(body.picture_in(order.data, order.content_type), order.limits.max_pixels), asked)
    count = _Count(foresee(picture.width, picture.height, order, upscaler) * _layers(picture), on_tile)
    format = order.format_for(picture.format)
    codecs.check_size(format, *asked.target.size(picture.width, picture.height, upscaler.scale))
    go_on(stop)
    with clock.stage("infer"):
        enlarged = upscaler.run(picture, asked.target, count, stop=stop, priority=priority)
    go_on(stop)
    if asked.format is None and format != picture.format:
        enlarged = enlarged.noting(f"{picture.format} became {format}, as {picture.format} is not written")
    with clock.stage("encode"):
        data, noted = codecs.encode(enlarged, format, asked.quality, lossless=asked.lossless)
    sizes = picture.width * picture.height, enlarged.width * enlarged.height
    return Result(data, format, noted.conversions, count.done, *sizes, clock.seconds)


def _prepared(picture: Picture, asked: UpscaleQuery) -> Picture:
    if asked.profile == "srgb":
        picture = codecs.to_srgb(picture)
    return replace(picture, metadata=picture.metadata.stripped()) if asked.metadata == "strip" else picture


def _layers(picture: Picture) -> int:
    """How often the model computes the picture: opacity is enlarged like colour where it has any shape."""
    return 1 if picture.alpha is None or (picture.alpha == picture.alpha[0, 0, 0]).all() else 2


class _Count:
    """Counts tiles over all passes."""

    def __init__(self, total: int, tell: OnTile | None) -> None:
        self.done = 0
        self._total, self._tell = total, tell
        self._lock = threading.Lock()

    def __call__(self, *_: int) -> None:
        with self._lock:
            self.done += 1
            done = self.done
        if self._tell is not None:
            self._tell(min(done, self._total), self._total)


def go_on(stop: Stop) -> None:
    """Raise `Cancelled` where the work was called off."""
    if stop.set:
        raise Cancelled("the request was called off")


def foresee(width: int, height: int, order: Order, upscaler: Upscaler) -> int:
    """How many tiles a picture of this size takes in all passes.

    Raises `ParameterError` for a target that makes no sense and `ImageTooLargeError` where a pass gives too many pixels.
    """
    across, down = order.asked.target.size(width, height, upscaler.scale)
    _limit(across, down, order, "the result")
    codecs.check_size(order.format_for(codecs.sniff(order.data[:64]) or "png"), across, down)
    tiles = 0
    while width < across or height < down:
        _limit(width * upscaler.scale, height * upscaler.scale, order, f"on the way to {across}x{down} the picture")
        tiles += len(upscaler.engine.plan(height, width).tiles)
        width, height = width * upscaler.scale, height * upscaler.scale
    return tiles


def _limit(width: int, height: int, order: Order, what: str) -> None:
    most = order.limits.max_output_pixels
    if width * height > most:
        raise ImageTooLargeError(f"{what} would have {width}x{height} pixels; at most {most} are allowed")
