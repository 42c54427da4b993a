"""The front door: pictures in, larger pictures out."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import forms, resampling
from upconv.runtime.alpha import bled
from upconv.runtime.conversion import conversion
from upconv.runtime.engine import Engine
from upconv.runtime.errors import Cancelled, ModelError, ParameterError
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.schedule import OnTile, Priority
from upconv.runtime.session import Model, open_model
from upconv.runtime.stop import Stop
from upconv.runtime.tiling import Plan

if TYPE_CHECKING:
    from PIL.Image import Image

Exactly = TypeVar("Exactly", bytes, NDArray[np.uint8], NDArray[np.uint16], "Image")
"""What comes back as what it was."""

MAX_SCALE = 16
"""Largest enlargement per side; beyond it there is nothing left to see."""


@dataclass(frozen=True)
class Target:
    """How large the result should be: `scale` times the picture, or, where given, `width` and `height` exactly."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None

    def size(self, picture_width: int, picture_height: int, native: int) -> tuple[int, int]:
        """Width and height of the result; a side alone keeps the shape; nothing given means the model's own scale.

        Raises `ParameterError` where the result would be smaller than the picture or over `MAX_SCALE` times as large.
        """
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise ParameterError("give either a scale or a width and height, not both")
        width, height = self._size(picture_width, picture_height, native)
        largest = max(width / picture_width, height / picture_height)
        if width < picture_width or height < picture_height or largest > MAX_SCALE:
            raise ParameterError(
                f"{picture_width}x{picture_height} cannot become {width}x{height}; expected 1 to {MAX_SCALE} times as large per side"
            )
        return width, height

    def _size(self, width: int, height: int, native: int) -> tuple[int, int]:
        if self.width is not None and self.height is not None:
            return self.width, self.height
        if self.width is not None:
            return self.width, max(1, round(height * self.width / width))
        if self.height is not None:
            return max(1, round(width * self.height / height)), self.height
        scale = native if self.scale is None else self.scale
        if not math.isfinite(scale) or not 1 <= scale <= MAX_SCALE:
            raise ParameterError(f"scale must be a number from 1 to {MAX_SCALE}, not {scale:g}")
        return round(width * scale), round(height * scale)


class Upscaler:
    """A model ready to enlarge pictures, from any number of threads."""

    def __init__(
        self,
        model: str | Path | Model,
        *,
        provider: str = "cpu",
        workers: int | None = None,
        tile_px: int | None = None,
        exact: bool = False,
    ) -> None:
        """Open `model`, an exported `.onnx` file of task `upscale`.

        `tile_px`, the side of tiles, is measured where none is given. `exact` gives every tile the whole halo that the
        model has, whatever it costs; otherwise a smaller one does where the exact one costs much and the file says that
        the result hardly differs.

        Raises `ModelError`, `ContractError` or `ProviderError` where it cannot be used as asked.
        """
        self.model = model if isinstance(model, Model) else open_model(model, provider)
        contract = self.model.contract
        if contract.task != "upscale" or contract.input is None or contract.output is None:
            raise ModelError(f"{contract.name} is made to {contract.task}, not to upscale pictures")
        self.scale = contract.scale
        if self.scale < 2:
            raise ModelError(f"{contract.name} scales by {self.scale}; expected 2 or more")
        self._luma_only = contract.output.channels == 1
        self.engine = Engine(self.model, workers=workers, tile_px=tile_px, exact=exact)

    @overload
    def upscale(
        self, source: str | Path | Picture, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Picture: ...
    @overload
    def upscale(
        self, source: Exactly, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Exactly: ...

    def upscale(self, source: Any, scale: float | None = None, *, width: int | None = None, height: int | None = None) -> Any:
        """Enlarge `source`, by the model's own scale where no other scale or size is given.

        The bytes of an image file give those of a file of the same format (PNG where it cannot be written), an array
        (H, W, C) or (H, W) of uint8 or uint16 an array, a PIL image a PIL image, and a path or a `Picture` a `Picture`.
        """
        return self._upscale(source, Target(scale, width, height), Stop())

    @overload
    async def upscale_async(
        self, source: str | Path | Picture, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Picture: ...
    @overload
    async def upscale_async(
        self, source: Exactly, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Exactly: ...

    async def upscale_async(
        self, source: Any, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Any:
        """The same for asyncio: the event loop goes on meanwhile, and cancelling the task frees the workers at once."""
        stop = Stop()
        try:
            return await asyncio.to_thread(self._upscale, source, Target(scale, width, height), stop)
        except asyncio.CancelledError:
            stop.say()
            raise

    def _upscale(self, source: Any, target: Target, stop: Stop) -> Any:
        return forms.like(source, self.run(forms.to_picture(source), target, stop=stop))

    def run(
        self,
        picture: Picture,
        target: Target,
        on_tile: OnTile | None = None,
        *,
        stop: Stop | None = None,
        priority: Priority = Priority.NORMAL,
        deadline: float = float("inf"),
    ) -> Picture:
        """Enlarge `picture` to `target`: as often through the model as it takes, then one exact resampling.

        `on_tile(done, total)` is called as tiles of a pass are finished. Raises `Cancelled` soon after `stop` is said,
        `TimedOut` after `deadline`, which counts as `time.monotonic()` does, `Overloaded` where too much is waiting,
        and `OutputError` where the disk has no room for a large picture.
        """
        size = target.size(picture.width, picture.height, self.scale)
        turn = _Turn(on_tile, stop or Stop(), priority, deadline)
        samples, notes = self._reach(bled(picture), picture.color.shape[2], size, turn)
        if picture.alpha is not None:
            samples = resampling.joined(samples, self._opacity(picture.alpha, size, turn))
        metadata = picture.metadata.denser(size[0] / picture.width, size[1] / picture.height)
        return replace(picture, samples=samples, metadata=metadata).noting(*sorted(notes))

    def _reach(self, color: Samples, channels: int, size: tuple[int, int], turn: _Turn) -> tuple[Samples, set[str]]:
        """The first `channels` of (H, W, C) enlarged to exactly `size`, width and height, and what is to be said of it."""
        width, height = size
        notes: set[str] = set()
        while color.shape[1] < width or color.shape[0] < height:
            plan = self.engine.plan(*color.shape[:2])
            color = self._enlarge(color, channels, plan, turn)
            notes |= _deviation(plan)
        if (color.shape[1], color.shape[0]) != size:
            color = resampling.resize(color, width, height, channels=channels)
        return color, notes

    def _opacity(self, alpha: Samples, size: tuple[int, int], turn: _Turn) -> Samples:
        """Alpha as if it were grey: its edges come out as sharp as the colour's; nothing is computed where it has none."""
        first = alpha[0, 0, 0]
        if (alpha == first).all():
            return np.full((size[1], size[0], 1), first, alpha.dtype)
        return self._reach(alpha, 1, size, turn)[0]

    def _enlarge(self, color: Samples, channels: int, plan: Plan, turn: _Turn) -> Samples:
        size = plan.width * self.scale, plan.height * self.scale
        chroma = resampling.resize(color, *size, "cubic", channels) if self._luma_only and channels == 3 else None
        work = conversion(color, channels, plan, self.model.contract, chroma)
        future = self.engine.submit(work, turn.on_tile, priority=turn.priority, deadline=turn.deadline)
        try:
            with turn.stop.telling(future.cancel):
                future.result()
        except CancelledError as error:
            raise Cancelled("the picture was called off") from error
        finally:
            future.cancel()
        return work.canvas.samples()

    def close(self) -> None:
        """Stop the worker threads."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class _Turn:
    """How one picture waits for its tiles."""

    on_tile: OnTile | None
    stop: Stop
    priority: Priority
    deadline: float


def _deviation(plan: Plan) -> set[str]:
    """What is to be said of a plan whose tiles are not quite the whole."""
    if plan.deviation is None:
        return set()
    halo_px, steps = plan.deviation.halo_px, plan.deviation.steps
    return {
        f"computed in tiles that overlap by {halo_px} pixels, which differs by up to {steps:.2g} of 255 steps from the whole"
    }
