"""`Upscaler`: a model that upscales pictures from Python, from any number of threads or asyncio tasks."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import image_types, resampling
from upconv.runtime.alpha import bleed_color
from upconv.runtime.borders import resized
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import HaloDeviation
from upconv.runtime.conversions import Conversion
from upconv.runtime.engine import Engine
from upconv.runtime.errors import Cancelled, ModelError, TimedOut
from upconv.runtime.executors import Executor
from upconv.runtime.model_choice import ModelChoice
from upconv.runtime.options import DEFAULTS, BorderChoice, UpscaleOptions
from upconv.runtime.passes import Passes, TileCount, count_layers, plan_passes
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.processing import process
from upconv.runtime.provider_choice import open_chosen
from upconv.runtime.schedule import LATE, OnTile, Priority, TiledWork
from upconv.runtime.session import Model
from upconv.runtime.spot_proof import SpotProof
from upconv.runtime.statistics import passes_of
from upconv.runtime.tiled_picture import tiled_picture
from upconv.runtime.tiling import TilingPlan

if TYPE_CHECKING:
    from PIL.Image import Image

SameType = TypeVar("SameType", bytes, NDArray[np.uint8], NDArray[np.uint16], "Image")
"""The types of `source` for which `upscale` returns the same type."""


class Upscaler:
    """A model that upscales pictures. Any number of threads may use it at the same time.

    It starts worker threads. Close it after use, or use it in a `with` block.
    """

    def __init__(
        self,
        model: str | Path | Model,
        *,
        provider: str = "cpu",
        workers: int | None = None,
        tile_px: int | None = None,
        exact: bool = False,
        unproved: bool = False,
        executor: Executor | None = None,
    ) -> None:
        """Open `model`, an exported `.onnx` file with the task `upscale`, or use an opened one.

        `workers` is the number of threads, by default one per core. If it is 0, the calling thread computes. `tile_px` is the
        side of a tile in input pixels; by default it is chosen by measuring. `provider` is `cpu`, `cuda`, `webgpu`, another name
        of `provider_table.py`, or `auto`. `exact` gives every tile the model's exact halo. Without it, a smaller halo is used if
        the exact one is expensive and the contract shows that the result differs by half an 8-bit step at most. `unproved` uses a
        model even if its output on the provider differs from that on the processor by more than the contract allows. `executor`
        computes the tiles in place of this machine, such as a `RemoteExecutor`; it is closed with the upscaler.

        Raises `ModelError` if the file is missing, damaged or made for another task, `ContractError` if it has no contract
        that this version can read, and `ProviderError` if the provider is not available or its output is not the processor's.
        Raises what the executor's `start` raises.
        """
        self.model = model if isinstance(model, Model) else open_chosen(model, provider, unproved=unproved)
        contract = self.model.contract
        if contract.task != "upscale" or contract.input is None or contract.output is None:
            raise ModelError(f"{contract.name} has the task {contract.task}; expected a model with the task upscale")
        self.scale = contract.scale
        self._luma_only = contract.output.channels == 1
        self.engine = Engine(self.model, workers=workers, tile_px=tile_px, exact=exact, executor=executor)
        self._place = "" if executor is None else executor.name  # it may be known after the start only

    @overload
    def upscale(
        self, source: str | Path | Picture, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Picture: ...
    @overload
    def upscale(
        self, source: SameType, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> SameType: ...

    def upscale(self, source: Any, scale: float | None = None, *, width: int | None = None, height: int | None = None) -> Any:
        """Return `source` upscaled, by default by the model's own scale. A model of scale 1 restores it at its own size.

        `scale` is a factor per side; `width` and `height` are in pixels. The result depends on the type of `source`:

        - bytes of an image file: bytes in the same format, or PNG if that format is not written;
        - an array (H, W, C) or (H, W) of uint8 or uint16: an array of the same layout and type;
        - a PIL image: a PIL image;
        - a path or a `Picture`: a `Picture`.

        Raises `ImageError` if the picture cannot be read, and what `run` raises.
        """
        return self._upscale(source, UpscaleOptions(scale, width, height), Cancellation())

    @overload
    async def upscale_async(
        self, source: str | Path | Picture, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Picture: ...
    @overload
    async def upscale_async(
        self, source: SameType, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> SameType: ...

    async def upscale_async(
        self, source: Any, scale: float | None = None, *, width: int | None = None, height: int | None = None
    ) -> Any:
        """Return `source` upscaled, as `upscale` does, without blocking the event loop.

        If the task is cancelled, the workers stop at the next node of the graph.
        """
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

    @property
    def name(self) -> str:
        """The name of the model in its contract."""
        return str(self.model.contract.name)

    @property
    def provider(self) -> str:
        """The name that onnxruntime gives the execution provider of the model, or that of the place where tiles are computed."""
        return self._place or self.model.provider

    @property
    def slots(self) -> int:
        """The number of tiles that are computed at the same time."""
        return self.engine.executor.slots

    @property
    def proof(self) -> SpotProof | None:
        """The comparison of the provider with the processor; `None` if there was none."""
        return self.model.proof

    @property
    def identity(self) -> str:
        """The SHA-256 of the model file, in hexadecimal digits."""
        return self.model.sha256

    def for_size(self, width: int, height: int, options: UpscaleOptions = DEFAULTS) -> Self:
        """Return this upscaler, as it is used for each size."""
        return self

    def for_picture(self, picture: Picture, options: UpscaleOptions = DEFAULTS) -> tuple[Self, ModelChoice | None]:
        """Return this upscaler, as it is used for each picture, and `None`, as there is no choice."""
        return self, None

    def passes(self, width: int, height: int, options: UpscaleOptions = DEFAULTS, layers: int = 1) -> Passes:
        """Return the passes and tiles for a picture of `width` x `height` pixels, computed in `layers` layers.

        `run` computes exactly these tiles, so they also predict progress and cost. Raises `ParameterError` if the size is
        impossible, and `ImageTooLargeError` if it takes more pixels than `options` allow or more memory than is free.
        """

        def plan(rows: int, columns: int) -> TilingPlan:
            return self.engine.plan(rows, columns, options.border)

        return plan_passes(plan, self.scale, width, height, options, layers)

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
        """Return `picture` upscaled to the size in `options`.

        The model runs in as many passes as the size needs; one resampling then reduces the last pass to the exact size.
        Of the options, only the size, the border and `max_output_pixels` matter here; `processing.process` applies the others. A worker
        calls `on_tile(done, total)` after each tile; `total` counts all passes and layers. `deadline` is a time of
        `time.monotonic()`, in seconds.

        Raises `Cancelled` soon after `cancellation` is cancelled, `TimedOut` after the deadline, `Overloaded` if the queue is
        full, `ModelError` if the model fails, `OutputError` if the disk has no room for a large picture, and what `passes`
        raises.
        """
        passes = self.passes(picture.width, picture.height, options, count_layers(picture))
        submission = _Submission(
            TileCount(passes.tiles, on_tile), cancellation or Cancellation(), priority, deadline, options.border
        )
        samples = self._layer(bleed_color(picture, submission.cancellation), picture.color.shape[2], passes, submission)
        if picture.alpha is not None:
            opacity = self._opacity(picture.alpha, passes, submission)
            samples = resampling.joined(samples, opacity, submission.cancellation)
        width, height = passes.output_size
        metadata = picture.metadata.denser(width / picture.width, height / picture.height)
        return replace(picture, samples=samples, metadata=metadata).noting(*deviations(passes))

    def _layer(self, samples: Samples, channels: int, passes: Passes, submission: _Submission) -> Samples:
        """Return the first `channels` channels of (H, W, C) samples, upscaled to the size of the result."""
        width, height = passes.output_size
        for plan in passes.plans:
            samples = self._run_pass(samples, channels, plan, submission)
        if (samples.shape[1], samples.shape[0]) != passes.output_size:
            border, cancellation = submission.border, submission.cancellation
            samples = resized(samples, width, height, border, channels=channels, cancellation=cancellation)
        return samples

    def _opacity(self, alpha: Samples, passes: Passes, submission: _Submission) -> Samples:
        """Return the opacity upscaled like a grey picture, so that its edges are as sharp as those of the colour."""
        if passes.layers > 1:
            return self._layer(alpha, 1, passes, submission)
        width, height = passes.output_size
        return np.full((height, width, 1), alpha[0, 0, 0], alpha.dtype)

    def _run_pass(self, color: Samples, channels: int, plan: TilingPlan, submission: _Submission) -> Samples:
        """Return the first `channels` channels of `color` after one run through the model."""
        size = plan.width * self.scale, plan.height * self.scale
        chroma = None
        if self._luma_only and channels == 3:
            border, cancellation = submission.border, submission.cancellation
            chroma = resized(color, *size, border, kernel="cubic", channels=channels, cancellation=cancellation)
        work = tiled_picture(color, channels, plan, self.model.contract, chroma)
        for part in passes_of(work, self.model.contract):
            self._compute(part, submission)
        return work.canvas.samples()

    def _compute(self, work: TiledWork, submission: _Submission) -> None:
        """Compute all tiles of `work`."""
        future = self.engine.submit(work, submission.on_tile, priority=submission.priority, deadline=submission.deadline)
        left_s = None if math.isinf(submission.deadline) else max(0.0, submission.deadline - time.monotonic())
        try:
            with submission.cancellation.calling(future.cancel):
                self.engine.compute_waiting()
                future.result(left_s)  # the schedule sees the deadline between two tiles, and a tile elsewhere may take long
        except CancelledError as error:
            raise Cancelled("the picture was cancelled") from error
        except TimeoutError as error:
            if future.done():
                raise
            raise TimedOut(LATE) from error
        finally:
            future.cancel()

    def compute(self, work: TiledWork, *, cancellation: Cancellation | None = None) -> None:
        """Compute all tiles of `work` by one run through the model.

        Raises `Cancelled` soon after `cancellation` is cancelled, and what `Engine.submit` and its future raise.
        """
        submission = _Submission(lambda *_: None, cancellation or Cancellation(), Priority.NORMAL, float("inf"))
        for part in passes_of(work, self.model.contract):
            self._compute(part, submission)

    def close(self) -> None:
        """Cancel the queued pictures and stop the worker threads."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True)
class _Submission:
    """The arguments with which all passes of one picture are submitted to the engine."""

    on_tile: OnTile
    cancellation: Cancellation
    priority: Priority
    deadline: float
    border: BorderChoice | None = None


def deviations(passes: Passes) -> list[Conversion]:
    """Return a phrase for each pass whose tiles deviate from the whole picture, without duplicates."""
    return sorted({_deviation(plan.deviation) for plan in passes.plans if plan.deviation is not None})


def _deviation(deviation: HaloDeviation) -> Conversion:
    return Conversion("tiles", halo=deviation.halo_px, steps=f"{deviation.steps:.2g}")
