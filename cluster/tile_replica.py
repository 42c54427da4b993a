"""The process that computes the tiles of one model: one engine, whose model is opened and proved once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upconv.cluster.predicted_wait import WAIT, HeardWaits
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.cores import available_cores
from upconv.runtime.engine import Engine
from upconv.runtime.errors import DeviceLostError, ModelError
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.provider_choice import open_chosen
from upconv.runtime.providers import concurrency_for, on_accelerator
from upconv.runtime.session import Model, Tensor
from upconv.runtime.tiled_array import TiledArray


@dataclass(frozen=True)
class TileOrder:
    """The model of a tile replica, and how it is run."""

    path: Path
    provider: str = "cpu"
    unproved: bool = False
    """True to use a model whose proof on the spot fails."""
    workers: int | None = None
    """Engine threads; by default one on the processor, and the provider's usual number elsewhere."""
    batch_px: int | None = None
    """Most input pixels in one run; by default the provider's usual number of tiles."""


@dataclass(frozen=True)
class TileService:
    """The model and the provider of a tile replica, as it states them."""

    sha256: str
    """The hash of its model file."""
    provider: str
    """The provider that computes, by onnxruntime's name."""


class TileReplica:
    """One engine. Ray Serve makes one in each process of a tile deployment, and makes it again if the process ends."""

    def __init__(self, order: TileOrder) -> None:
        """Open the model, prove it on the provider, and start the engine.

        Raises `ModelError`, `ContractError` or `ProviderError` if the model cannot be used.
        """
        model = open_chosen(order.path, order.provider, unproved=order.unproved)
        if model.contract.task != "upscale":
            raise ModelError(f"{model.contract.name} has the task {model.contract.task}; only upscalers have tiles")
        self._engine = Engine(model, executor=_executor(model, order))
        self._heard = HeardWaits()

    async def describe(self) -> TileService:
        """Return the model and the provider."""
        model = self._engine.model
        return TileService(model.sha256, model.provider)

    async def compute(self, tensor: Tensor, caller: str, wait_s: float) -> Tensor:
        """Return the output for a tile: (1, C, h, w) to (1, C, scale*h, scale*w).

        `wait_s` is the predicted time in seconds until the caller has done all its work. If the task is cancelled, the engine stops
        at the next node of the graph. Raises what the future of `Engine.submit` raises.
        """
        self._heard.hear(caller, wait_s, time.monotonic())
        engine = self._engine
        work = TiledArray(tensor[0], await asyncio.to_thread(engine.plan_piece, *tensor.shape[2:]))
        await asyncio.wrap_future(engine.submit(work))
        return work.result[None]

    async def compute_pass(self, tensor: Tensor, part: ModelPass, caller: str, wait_s: float) -> list[Tensor]:
        """Return the results of one pass of a tile of a model with statistics. Raises what `Executor.run_pass` raises."""
        self._heard.hear(caller, wait_s, time.monotonic())
        cancellation = Cancellation()
        try:
            return list(await asyncio.to_thread(self._engine.executor.run_pass, tensor, part, cancellation))
        finally:
            cancellation.cancel()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return the predicted seconds of waiting work, as the callers have stated them. Ray Serve asks for it."""
        return {WAIT: self._heard.total_s(time.monotonic())}

    async def check_health(self) -> None:
        """Raise `DeviceLostError` if the device of the model is gone. Ray Serve asks for it, and then makes another replica."""
        if self._engine.lost:
            raise DeviceLostError(f"the device of {self._engine.model.contract.name} does not answer")

    def __del__(self) -> None:
        """End the engine. Ray Serve calls it when it stops the replica."""
        engine: Any = getattr(self, "_engine", None)  # missing if the model could not be opened
        if engine is not None:
            engine.close()


def _executor(model: Model, order: TileOrder) -> LocalExecutor:
    """Return an executor with one thread on the processor, whose replicas are many, and batches of at most `batch_px`."""
    usual = concurrency_for(model.provider, available_cores())
    threads = usual.workers if on_accelerator(model.provider) else 1
    batch = usual.batch if order.batch_px is None else max(1, order.batch_px // TILE_PX**2)
    return LocalExecutor(model, order.workers or threads, batch)
