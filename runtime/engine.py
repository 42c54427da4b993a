"""The engine: worker threads that compute the tiles of all pictures with one model.

The schedule chooses the next tile among all queued pictures, so a small picture does not wait for a large one to finish.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

import numpy as np

from upconv.runtime import providers
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import NoHalo
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, DeviceLostError, ModelError, OutOfMemoryError
from upconv.runtime.executors import Executor, LocalExecutor
from upconv.runtime.memory import lower_trim_threshold
from upconv.runtime.options import BorderChoice
from upconv.runtime.planner import LARGE_PX, Planner
from upconv.runtime.schedule import OnTile, PictureRequest, Priority, Schedule, TiledWork
from upconv.runtime.session import Model, Tensor
from upconv.runtime.statistics import FeatureSums, GivenMeans, passes_of
from upconv.runtime.tiled_array import TiledArray
from upconv.runtime.tiling import Tile, TilingPlan

IDLE_S = 2.0
"""Seconds without work after which memory is released: onnxruntime keeps up to twice what the largest tiles needed."""

MAX_WAITING_PX = 1_000_000_000
"""Largest number of queued input pixels: a small model on two cores computes them in a quarter of an hour."""


class Engine:
    """Worker threads that cut, compute and paste the tiles of any number of pictures with one model.

    There is one thread per slot of the executor. While one thread computes a tile, another converts pixels.
    """

    def __init__(
        self,
        model: Model,
        *,
        workers: int | None = None,
        tile_px: int | None = None,
        exact: bool = False,
        max_waiting: int = 1024,
        max_waiting_px: int = MAX_WAITING_PX,
        executor: Executor | None = None,
    ) -> None:
        """Start the worker threads.

        `executor` computes the tiles; by default a `LocalExecutor` with `workers` threads, or one per core. The engine starts
        and closes it. If `workers` is 0, there is no thread, and the callers of `compute_waiting` compute.
        `tile_px` is the side of a tile in input pixels, halo included. By default it is `TILE_PX`, or less if memory is
        short, and for large pictures the fastest side that calibration measures. `exact` forbids halos that are smaller
        than the exact one. At most `max_waiting` pictures and `max_waiting_px` input pixels are queued.

        Calls `memory.lower_trim_threshold`, which changes an allocator setting of the whole process. Raises what the executor's
        `start` raises.
        """
        lower_trim_threshold()
        self.model = model
        self.executor = executor or _local(model, workers)
        """The place where tiles are computed."""
        self.executor.start(model)
        self._planner = Planner(model, self.executor.slots, tile_px=tile_px, exact=exact, elsewhere_px=self.executor.tile_px)
        alone = 1 if model.contract.statistics else self.executor.batch  # the means differ from picture to picture
        self._batch = min(alone, model.contract.max_batch or alone)
        self._schedule = Schedule(max_waiting, max_waiting_px)
        self._changed = threading.Condition()
        self._closed = False
        self._used = False
        self._device_lost = False
        self._threads = [
            threading.Thread(target=self._work, name=f"upconv-engine-{n}", daemon=True)
            for n in range(0 if workers == 0 else self.executor.slots)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def lost(self) -> bool:
        """True if the last run said that the provider's device does not answer any more, or if the executor says so now."""
        return self._device_lost or self.executor.lost

    def plan(self, height: int, width: int, border: BorderChoice | None = None) -> TilingPlan:
        """Return the tiles of a picture of `height` x `width` pixels; see `Planner.plan`."""
        return self._planner.plan(height, width, border)

    def plan_piece(self, height: int, width: int) -> TilingPlan:
        """Return a picture as one tile, if memory allows that; see `Planner.piece`."""
        return self._planner.piece(height, width)

    def submit(
        self,
        work: TiledWork,
        on_tile: OnTile | None = None,
        *,
        priority: Priority = Priority.NORMAL,
        deadline: float = float("inf"),
    ) -> Future[None]:
        """Queue a picture and return a future that completes when its last tile is pasted.

        A worker calls `on_tile(done, total)` after each tile. If the future is cancelled, the workers stop at the next
        node of the graph. `deadline` is a time of `time.monotonic()`, in seconds.

        Raises `Overloaded` if the queue is full, and `Cancelled` if the engine is closed. The future raises `TimedOut`
        after the deadline, `ModelError` if the model's output has the wrong shape or is not finite, and any error of
        `cut`, `paste` and `on_tile`.
        """
        request = PictureRequest(work, on_tile, priority, deadline)
        with self._changed:
            if self._closed:
                raise Cancelled("the engine has been closed")
            self._schedule.add(request)
            self._changed.notify_all()
        return request.future

    def compute_waiting(self) -> None:
        """Compute the queued tiles on the calling thread, if the engine has no threads. Return when none waits."""
        while not self._threads:
            with self._changed:
                jobs = self._schedule.take(self._batch)
            if not jobs:
                return
            self._run(jobs)

    def enlarge(self, planes: Tensor) -> Tensor:
        """Return `planes` upscaled: (C, H, W) float32 in the contract's range to (C, scale*H, scale*W).

        Computes tile by tile and blocks until the result is complete. Raises what `plan`, `submit` and its future raise.
        """
        work = TiledArray(planes, self.plan(*planes.shape[1:]))
        for part in passes_of(work, self.model.contract):
            future = self.submit(part)
            self.compute_waiting()
            future.result()
        return work.result

    def close(self) -> None:
        """Fail the queued pictures with `Cancelled`, wait for the workers to end, and close the executor."""
        with self._changed:
            self._closed = True
            waiting = list(self._schedule.drain())
            self._changed.notify_all()
        for request in waiting:
            request.fail(Cancelled("the engine has been closed"))
        for thread in self._threads:
            thread.join()
        self.executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _work(self) -> None:
        while (jobs := self._next()) is not None:
            self._run(jobs)
            del jobs  # otherwise an idle worker keeps the last picture in memory

    def _run(self, jobs: list[tuple[PictureRequest, Tile]]) -> None:
        """Compute a batch. Release memory after a large picture, and if there is no work."""
        self._compute(jobs)
        large = any(request.over and request.work.plan.computed_px > LARGE_PX for request, _ in jobs)
        if large or not jobs:
            with suppress(Exception):  # it concerns no request, and the next run reports what is wrong
                self.executor.release()

    def _next(self) -> list[tuple[PictureRequest, Tile]] | None:
        """Block until there is a batch and return it.

        Returns an empty batch once after `IDLE_S` without work, and `None` after the engine is closed.
        """
        with self._changed:
            while not self._closed:
                if jobs := self._schedule.take(self._batch):
                    self._used = True
                    return jobs
                if not self._changed.wait(IDLE_S if self._used else None) and self._used:
                    self._used = False
                    return []
            return None

    def _compute(self, jobs: list[tuple[PictureRequest, Tile]]) -> None:
        if len(jobs) > 1:
            self._compute_batch(jobs)
            return
        for request, tile in jobs:
            try:
                self._tile(request.work, tile, request.cancellation)
                request.finish_one()
            except BaseException as error:  # even KeyboardInterrupt fails this picture, and the worker goes on
                self._device_lost = self._device_lost or isinstance(error, DeviceLostError)
                request.fail(error)

    def _compute_batch(self, jobs: list[tuple[PictureRequest, Tile]]) -> None:
        try:
            outputs = self._output(np.concatenate([request.work.cut(tile) for request, tile in jobs]), Cancellation())
        except BaseException:  # one tile may be the cause: compute each alone, so that only its picture fails
            for job in jobs:
                self._compute([job])
            return
        for number, (request, tile) in enumerate(jobs):
            try:
                request.work.paste(tile, outputs[number : number + 1])
                request.finish_one()
            except BaseException as error:
                request.fail(error)

    def _tile(self, work: TiledWork, tile: Tile, cancellation: Cancellation) -> None:
        """Compute and paste one tile; if memory runs out, split it in two and compute the parts."""
        try:
            self._tile_at_once(work, tile, cancellation)
            return
        except (OutOfMemoryError, MemoryError) as error:
            # Without its means, a part of a picture is not computed like the whole.
            alone = self.model.contract.statistics and not isinstance(work, FeatureSums | GivenMeans)
            halves = () if alone else work.plan.halves(tile)
            if not halves:
                raise _too_large(self.model, tile) from error
        for half in halves:
            self._tile(work, half, cancellation)

    def _tile_at_once(self, work: TiledWork, tile: Tile, cancellation: Cancellation) -> None:
        tensor = work.cut(tile)
        if isinstance(work, FeatureSums):
            work.add(tile, self.executor.run_pass(tensor, work.part, cancellation))
        elif isinstance(work, GivenMeans):
            work.paste(tile, self._checked(tensor, self.executor.run_pass(tensor, work.part, cancellation)[0]))
        else:
            work.paste(tile, self._output(tensor, cancellation))

    def _output(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        return self._checked(tensor, self.executor.run(tensor, cancellation))

    def _checked(self, tensor: Tensor, output: Tensor) -> Tensor:
        """Return the output for `tensor`; raises `ModelError` if its shape is not the contract's, or if it is not finite."""
        self._device_lost = False  # it has answered
        contract = self.model.contract
        laws = (contract.height, contract.width)
        lengths = (law and law.output(length) for law, length in zip(laws, tensor.shape[2:], strict=True))
        expected = (*tensor.shape[:2], *lengths)
        if output.shape != expected:
            raise ModelError(
                f"{contract.name} returned an output of shape {output.shape} for an input of {tensor.shape}; "
                f"its contract promises {expected}; export it again"
            )
        if not np.isfinite(output).all():
            raise ModelError(f"{contract.name} returned values that are NaN or infinite; export it again and check its parity")
        return output


def _local(model: Model, workers: int | None) -> LocalExecutor:
    fit = providers.concurrency_for(model.provider, available_cores())
    # A model without a finite halo uses all cores for one picture. A second worker lets a small picture pass a large one.
    whole = isinstance(model.contract.halo, NoHalo)
    usual = min(2, fit.workers) if whole else fit.workers
    return LocalExecutor(model, usual if workers is None else max(1, workers), 1 if whole else fit.batch)


def _too_large(model: Model, tile: Tile) -> OutOfMemoryError:
    height, width = tile.shape
    return OutOfMemoryError(
        f"{model.contract.name} runs out of memory on {width}x{height} pixels, which cannot be computed in smaller parts; "
        "free memory, use fewer workers or a smaller picture"
    )
