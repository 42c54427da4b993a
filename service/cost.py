"""The predicted cost of pictures, from their number, sizes and formats: tiles, memory and time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from upconv.runtime import UpscaleOptions, codecs, memory
from upconv.runtime.codecs.coding_speed import CodingSpeeds
from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.passes import Passes
from upconv.runtime.peak_memory import peak_bytes
from upconv.runtime.processing import predict_passes, result_format
from upconv.runtime.tiling import TilingPlan
from upconv.service.ordered_bytes import OrderedBytes
from upconv.service.registry import ServedModel, UpscalingModels

PICTURE_PX = 128
"""The work of a picture apart from its pixels, in pixels: a run of a model on 1x1 takes about as long as 128 pixels of a tile."""


@dataclass(frozen=True)
class Cost:
    """The predicted tiles, memory and time of a picture."""

    tiles: int
    bytes: int
    """Peak memory, without the bytes of the file."""
    seconds: float
    """Seconds of one core."""
    tile_seconds: float | None = None
    """The seconds that the tiles take; the others are those of decoding and encoding. `None`: all."""

    @property
    def tile_share(self) -> float:
        """The part of the work that is done when the last tile is computed, from 0 to 1."""
        return 1.0 if self.tile_seconds is None or not self.seconds else self.tile_seconds / self.seconds


@dataclass(frozen=True)
class Coding:
    """The formats of a picture and of its result, with the speeds of this machine."""

    source: str
    """The format of the picture."""
    result: str
    """The format of the result."""
    lossless: bool
    """True if the result is WebP or AVIF without loss."""
    speeds: CodingSpeeds
    """Seconds of a pixel, by format."""

    @classmethod
    def of(cls, picture: bytes, options: UpscaleOptions, speeds: CodingSpeeds) -> Coding:
        """Return the formats of an image file and of its result."""
        source = codecs.sniff(picture) or ""
        return cls(source, result_format(source, options), options.lossless, speeds)


def total(costs: Sequence[Cost]) -> Cost:
    """Return the cost of pictures that are computed one after the other."""
    seconds, tile_seconds = sum(cost.seconds for cost in costs), sum(cost.tile_share * cost.seconds for cost in costs)
    return Cost(sum(cost.tiles for cost in costs), max(cost.bytes for cost in costs), seconds, tile_seconds)


def predict(passes: Passes, entry: ServedModel, coding: Coding) -> Cost:
    """Return the predicted cost of a picture that takes these passes and is read and written in these formats."""
    across, down = passes.output_size
    speeds = coding.speeds
    tile_seconds = passes.computed_px / entry.pixels_per_s
    reading = speeds.read_s(coding.source, passes.width * passes.height)
    writing = speeds.write_s(coding.result, coding.lossless, across * down)
    bytes = peak_bytes(passes, coding.result, coding.lossless)
    return Cost(passes.tiles, bytes, tile_seconds + reading + writing, tile_seconds)


def predict_picture(picture: bytes, models: UpscalingModels, options: UpscaleOptions, speeds: CodingSpeeds) -> Cost:
    """Return the predicted cost of a picture, by the usual model for its size if its content decides.

    Raises what `predict_passes` raises.
    """
    passes = predict_passes(picture, models.upscaler, options)
    entry = models.entry(models.upscaler.for_size(passes.width, passes.height, options))
    return predict(passes, entry, Coding.of(picture, options, speeds))


def predict_batch(count: int, plan: TilingPlan, channels: int, entry: ServedModel) -> Cost:
    """Return the predicted cost of a tensor of `count` pictures, each with these tiles.

    Each picture costs something apart from its pixels, because a batch may hold a million tiny ones.
    """
    bytes = 2 * 4 * channels * count * plan.height * plan.width * plan.scale**2
    return Cost(count * len(plan.tiles), bytes, count * (plan.computed_px + PICTURE_PX) / entry.pixels_per_s)


class MemoryBudget(OrderedBytes):
    """The memory for pixels, allocated in the order of the requests. It belongs to one event loop."""

    @asynccontextmanager
    async def room(self, bytes: int) -> AsyncIterator[None]:
        """Wait until `bytes` are free, and hold them inside the context.

        Raises `ImageTooLargeError` if `bytes` exceed the whole budget, and `OutOfMemoryError` if the limit of address space
        leaves less.
        """
        if bytes > self.bytes:
            raise ImageTooLargeError(f"the picture would take {bytes} bytes of memory; at most {self.bytes} are allowed")
        async with self.hold(bytes):
            # With the room of the others, since they may only be about to take theirs.
            memory.expect_room(self.taken, self.holders)
            yield
