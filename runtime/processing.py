"""Processing of one picture from bytes to bytes: decode, prepare, upscale, encode.

The command line, the service and the Python interface all use `process`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from upconv.runtime import codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import Animation
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import converting
from upconv.runtime.model_choice import ModelChoice
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.runtime.passes import Passes, TileCount, count_layers
from upconv.runtime.picture import Picture
from upconv.runtime.schedule import OnTile, Priority


class PassPlanner(Protocol):
    """The part of `Upscaler` and `AutoUpscaler` that predictions use."""

    def passes(self, width: int, height: int, options: UpscaleOptions = DEFAULTS, layers: int = 1) -> Passes:
        """Return the passes for a picture of `width` x `height` pixels."""


class PictureUpscaler(PassPlanner, Protocol):
    """The part of `Upscaler` that processing uses."""

    def run(
        self,
        picture: Picture,
        options: UpscaleOptions = DEFAULTS,
        on_tile: OnTile | None = None,
        *,
        cancellation: Cancellation | None = None,
        priority: Priority = Priority.NORMAL,
        deadline: float = float("inf"),
    ) -> Picture:
        """Return `picture` upscaled to the size in `options`."""


class UpscalerSource(Protocol):
    """The part of `Upscaler` and `AutoUpscaler` by which processing gets the upscaler of a picture."""

    def for_picture(self, picture: Picture, options: UpscaleOptions = DEFAULTS) -> tuple[PictureUpscaler, ModelChoice | None]:
        """Return the upscaler for a picture, and why it was chosen; `None` if there was no choice."""


@dataclass(frozen=True)
class Processed:
    """An encoded result, with its sizes, conversions and timings."""

    data: bytes
    """The bytes of the image file."""
    format: str
    """The format of `data`, one of `codecs.FORMATS`."""
    input_size: tuple[int, int]
    """Width and height of the upright picture, or of a frame, in pixels."""
    output_size: tuple[int, int]
    """Width and height of the result, or of a frame, in pixels."""
    frames: int
    """The number of frames in the result."""
    tiles: int
    """The number of tiles that were computed, in all passes, layers and frames."""
    conversions: tuple[Conversion, ...]
    """Properties of the picture that the result could not keep, as phrases."""
    seconds: dict[str, float]
    """Seconds of each stage: `decode`, `infer`, `encode`."""
    choice: ModelChoice | None = None
    """The model that was chosen by the content of the picture, and why. `None` if there was no choice."""

    @property
    def input_pixels(self) -> int:
        """The number of pixels of the picture, all frames together."""
        return self.frames * self.input_size[0] * self.input_size[1]

    @property
    def output_pixels(self) -> int:
        """The number of pixels of the result, all frames together."""
        return self.frames * self.output_size[0] * self.output_size[1]


def process(
    data: bytes,
    source: UpscalerSource,
    options: UpscaleOptions = DEFAULTS,
    *,
    cancellation: Cancellation | None = None,
    on_tile: OnTile | None = None,
    priority: Priority = Priority.NORMAL,
    deadline: float = float("inf"),
) -> Processed:
    """Decode the image file in `data`, upscale it and encode the result. `source` is an `Upscaler` or an `AutoUpscaler`.

    A worker thread calls `on_tile(done, total)` after each tile; `total` counts all passes, layers and frames. `deadline`
    is a time of `time.monotonic()`, in seconds.

    Raises `ImageError` or `ImageTooLargeError` if the picture is damaged, too large or in a format that is not read,
    `ParameterError` if the options do not fit the picture or the format, `Cancelled` soon after `cancellation` is
    cancelled, `MachineError` if the machine lacks memory, threads, files or room on the disk, and what `Upscaler.run` raises.
    """
    with converting("the picture cannot be processed"):
        return _process(data, source, options, cancellation or Cancellation(), on_tile, priority, deadline)


def _process(
    data: bytes,
    source: UpscalerSource,
    options: UpscaleOptions,
    cancellation: Cancellation,
    on_tile: OnTile | None,
    priority: Priority,
    deadline: float,
) -> Processed:
    clock = _Clock()
    found = codecs.sniff(data) or ""
    name = result_format(found, options)
    codecs.check_options(name, options.quality, options.lossless, options.colors)
    with clock.stage("decode"):
        animation = _prepared(_decoded(data, name, options, cancellation), options, cancellation)
        upscaler, choice = source.for_picture(animation.frames[0], options)
    passes = upscaler.passes(animation.strip.width, animation.frame_height, options)
    codecs.check_size(name, *passes.output_size)
    count = TileCount(passes.tiles * sum(map(count_layers, animation.frames)), on_tile)

    def enlarge(frame: Picture) -> Picture:
        cancellation.check()
        return upscaler.run(frame, options, count, cancellation=cancellation, priority=priority, deadline=deadline)

    with clock.stage("infer"):
        animation = animation.map(enlarge)
    cancellation.check()
    if options.format is None and name != found:
        animation = animation.noting(Conversion("format not written", found=str(found), format=name))
    with clock.stage("encode"):
        encoded, conversions = _encoded(animation, name, options, cancellation)
    size, frames = (passes.width, passes.height), len(animation.delays_ms)
    return Processed(encoded, name, size, passes.output_size, frames, count.done, conversions, clock.seconds, choice)


def predict_passes(data: bytes, upscaler: PassPlanner, options: UpscaleOptions) -> Passes:
    """Return the passes for the first frame of the picture in `data`, from its header, without opacity.

    Raises what `process` raises if the picture is too large, the size is impossible, or the format cannot hold the size.
    """
    width, height = codecs.read_size(data, options.max_pixels)
    passes = upscaler.passes(width, height, options)
    codecs.check_size(result_format(codecs.sniff(data) or "", options), *passes.output_size)
    return passes


def result_format(source: str, options: UpscaleOptions) -> str:
    """Return the format of the result of a picture in format `source`: the same, or JPEG or PNG."""
    if options.format is None and options.frames and source in codecs.ANIMATED:
        return source
    return options.format or codecs.default_result(source)


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


def _decoded(data: bytes, name: str, options: UpscaleOptions, cancellation: Cancellation) -> Animation:
    cancellation.check()
    if options.frames and name in codecs.ANIMATED:
        return codecs.decode_frames(data, options.max_pixels, cancellation)
    return Animation(codecs.decode(data, options.max_pixels, cancellation), (0,))


def _prepared(animation: Animation, options: UpscaleOptions, cancellation: Cancellation) -> Animation:
    strip = codecs.to_srgb(animation.strip, cancellation) if options.profile == "srgb" else animation.strip
    if options.metadata == "strip":
        strip = replace(strip, metadata=strip.metadata.stripped())
    return replace(animation, strip=strip)


def _encoded(
    animation: Animation, name: str, options: UpscaleOptions, cancellation: Cancellation
) -> tuple[bytes, tuple[Conversion, ...]]:
    quality, lossless = options.quality, options.lossless
    if len(animation.delays_ms) > 1 or name not in codecs.WRITABLE:
        data, written = codecs.encode_frames(animation, name, quality, lossless=lossless, cancellation=cancellation)
        return data, written.strip.conversions
    data, picture = codecs.encode(
        animation.strip, name, quality, lossless=lossless, colors=options.colors, cancellation=cancellation
    )
    return data, picture.conversions
