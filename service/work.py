"""One picture's way from bytes to bytes, for a worker thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from upconv.runtime import Target, Upscaler, codecs
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
    keep_metadata: bool = True
    """Whether EXIF, XMP and IPTC stay; the colour profile and the resolution always do."""

    @property
    def asked(self) -> list[object]:
        """What decides the result, beside the picture and the model."""
        target = self.target
        return [target.scale, target.width, target.height, self.format, self.quality, self.keep_metadata]


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
    order: Order, upscaler: Upscaler, called_off: threading.Event, on_tile: Callable[[int, int], None] | None = None
) -> Result:
    """Decode, enlarge and encode; stops soon after `called_off` is set.

    `on_tile(done, total)` is called after each tile of all passes, from any thread.

    Raises `Cancelled` then, `ImageError` and its children for a picture that is none, damaged or too large, and
    `ParameterError` for what makes no sense.
    """
    clock = _Clock()
    with clock.stage("decode"):
        picture = codecs.decode(body.picture_in(order.data, order.content_type), order.max_pixels)
    if not order.keep_metadata:
        picture = replace(picture, metadata=replace(picture.metadata, fields=()))
    tiles = foresee(picture.width, picture.height, order, upscaler)
    go_on(called_off)
    count = _Count(tiles, called_off, on_tile)
    with clock.stage("infer"):
        enlarged = upscaler.run(picture, order.target, count)
    go_on(called_off)
    format = order.format or (picture.format if picture.format in codecs.WRITABLE else "png")
    if order.format is None and format != picture.format:
        enlarged = enlarged.noting(f"{picture.format} became {format}, as {picture.format} is not written")
    with clock.stage("encode"):
        data, noted = codecs.encode(enlarged, format, order.quality)
    sizes = picture.width * picture.height, enlarged.width * enlarged.height
    return Result(data, format, noted.conversions, tiles, *sizes, clock.seconds)


class _Count:
    """Counts tiles over all passes, and ends the work where it was called off."""

    def __init__(self, total: int, called_off: threading.Event, tell: Callable[[int, int], None] | None) -> None:
        self._total, self._called_off, self._tell = total, called_off, tell
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, *_: int) -> None:
        go_on(self._called_off)
        with self._lock:
            self._done += 1
            done = self._done
        if self._tell is not None:
            self._tell(min(done, self._total), self._total)


def go_on(called_off: threading.Event) -> None:
    """Raise `Cancelled` where the work was called off."""
    if called_off.is_set():
        raise Cancelled("the request was called off")


def foresee(width: int, height: int, order: Order, upscaler: Upscaler) -> int:
    """How many tiles a picture of this size takes in all passes.

    Raises `ParameterError` for a target that makes no sense and `ImageTooLargeError` where a pass gives too many pixels.
    """
    across, down = order.target.size(width, height, upscaler.scale)
    _limit(across, down, order, "the result")
    tiles = 0
    while width < across or height < down:
        _limit(width * upscaler.scale, height * upscaler.scale, order, f"on the way to {across}x{down} the picture")
        tiles += len(upscaler.engine.plan(height, width).tiles)
        width, height = width * upscaler.scale, height * upscaler.scale
    return tiles


def _limit(width: int, height: int, order: Order, what: str) -> None:
    if width * height > order.max_output_pixels:
        raise ImageTooLargeError(f"{what} would have {width}x{height} pixels; at most {order.max_output_pixels} are allowed")
