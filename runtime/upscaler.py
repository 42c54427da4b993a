"""The front door: pictures in, larger pictures out."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import image_types, resampling
from upconv.runtime.alpha import bleed_color
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import HaloDeviation
from upconv.runtime.engine import Engine
from upconv.runtime.errors import Cancelled, ModelError
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.runtime.passes import Passes, TileCount, count_layers, plan_passes
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.processing import process
from upconv.runtime.schedule import OnTile, Priority
from upconv.runtime.session import Model, open_model
from upconv.runtime.tiled_picture import tiled_picture
from upconv.runtime.tiling import TilingPlan

if TYPE_CHECKING:
    from PIL.Image import Image

Exactly = TypeVar("Exactly", bytes, NDArray[np.uint8], NDArray[np.uint16], "Image")
"""What comes back as what it was."""


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
        return self._upscale(source, UpscaleOptions(scale, width, height), Cancellation())

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
        cancellation = Cancellation()
        try:
            return await asyncio.to_thread(self._upscale, source, UpscaleOptions(scale, width, height), cancellation)
        except asyncio.CancelledError:
            cancellation.cancel()
            raise

    def _upscale(self, source: Any, options: UpscaleOptions, cancellation: Cancellation) -> Any:
        if isinstance(source, bytes | bytearray | memoryview):
            return process(bytes(source), self, options, cancellation=cancellation).data
        return image_types.convert_like(source, self.run(image_types.to_picture(source), options, cancellation=cancellation))

    def passes(self, width: int, height: int, options: UpscaleOptions = DEFAULTS, layers: int = 1) -> Passes:
        """Return the passes and tiles that a picture of `width` x `height` pixels takes, in `layers` layers.

        `run`, its progress and whoever predicts the cost of a picture count by these. Raises `ParameterError` if the size is
        impossible, and `ImageTooLargeError` if it takes more pixels than `options` allow, or more memory than is free.
        """
        return plan_passes(self.engine.plan, self.scale, width, height, options, layers)

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
        """Enlarge `picture` to the size in `options`, by as many passes as it takes and one exact resampling.

        Of the options, only the size and `max_output_pixels` count here; `processing.process` applies the others. A worker
        calls `on_tile(done, total)` after each tile; `total` counts all passes and layers. `deadline` is a time of
        `time.monotonic()`, in seconds.

        Raises `Cancelled` soon after `cancellation` is said, `TimedOut` after the deadline, `Overloaded` if too much is waiting,
        `OutputError` if the disk has no room for a large picture, and what `passes` raises.
        """
        passes = self.passes(picture.width, picture.height, options, count_layers(picture))
        turn = _Turn(TileCount(passes.tiles, on_tile), cancellation or Cancellation(), priority, deadline)
        samples = self._layer(bleed_color(picture), picture.color.shape[2], passes, turn)
        if picture.alpha is not None:
            samples = resampling.joined(samples, self._opacity(picture.alpha, passes, turn))
        width, height = passes.output_size
        metadata = picture.metadata.denser(width / picture.width, height / picture.height)
        return replace(picture, samples=samples, metadata=metadata).noting(*_deviations(passes))

    def _layer(self, samples: Samples, channels: int, passes: Passes, turn: _Turn) -> Samples:
        """Return the first `channels` channels of (H, W, C) samples, enlarged to the result's size."""
        width, height = passes.output_size
        for plan in passes.plans:
            samples = self._enlarge(samples, channels, plan, turn)
        if (samples.shape[1], samples.shape[0]) != passes.output_size:
            samples = resampling.resize(samples, width, height, channels=channels)
        return samples

    def _opacity(self, alpha: Samples, passes: Passes, turn: _Turn) -> Samples:
        """Return the opacity, computed like a grey picture so that its edges are as sharp as the colour's."""
        if passes.layers > 1:
            return self._layer(alpha, 1, passes, turn)
        width, height = passes.output_size
        return np.full((height, width, 1), alpha[0, 0, 0], alpha.dtype)

    def _enlarge(self, color: Samples, channels: int, plan: TilingPlan, turn: _Turn) -> Samples:
        size = plan.width * self.scale, plan.height * self.scale
        chroma = resampling.resize(color, *size, "cubic", channels) if self._luma_only and channels == 3 else None
        work = tiled_picture(color, channels, plan, self.model.contract, chroma)
        future = self.engine.submit(work, turn.on_tile, priority=turn.priority, deadline=turn.deadline)
        try:
            with turn.cancellation.calling(future.cancel):
                future.result()
        except CancelledError as error:
            raise Cancelled("the picture was cancelled") from error
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

    on_tile: OnTile
    cancellation: Cancellation
    priority: Priority
    deadline: float


def _deviations(passes: Passes) -> list[str]:
    """Return a phrase for each pass whose tiles deviate from the whole picture, without repetitions."""
    return sorted({_deviation(plan.deviation) for plan in passes.plans if plan.deviation is not None})


def _deviation(deviation: HaloDeviation) -> str:
    halo_px, steps = deviation.halo_px, deviation.steps
    return f"computed in tiles that overlap by {halo_px} pixels, which differs by up to {steps:.2g} of 255 steps from the whole"
