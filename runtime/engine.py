"""Runs tiles: all requests feed one engine, and take turns tile by tile, so that a small picture never waits long."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

import numpy as np

from upconv.runtime import providers
from upconv.runtime.calibration import TILE_PX, Calibration, calibrate
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract, NoHalo
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, ImageTooLargeError, ModelError, OutOfMemoryError
from upconv.runtime.executors import Executor, LocalExecutor
from upconv.runtime.memory import available_bytes, lower_trim_threshold
from upconv.runtime.schedule import OnTile, PictureRequest, Priority, Schedule, TiledWork
from upconv.runtime.session import Model, Tensor
from upconv.runtime.tiling import Tile, TilingPlan, plan_tiles

LARGE_PX = 2_000_000
"""Pictures with fewer pixels are not worth measuring the fastest tile for, and their memory is kept for the next."""

HARMLESS_PX = 128**2
"""Tiles of up to as many pixels are computed without asking what memory they take."""

IDLE_S = 2.0
"""After so long without work, memory is given back: onnxruntime keeps up to twice what the largest tiles needed."""

MAX_WAITING_PX = 1_000_000_000
"""Input pixels that may wait: a quarter of an hour of a small model on two cores."""


class Engine:
    """Worker threads that cut, compute and paste the tiles of any number of pictures with one model.

    There is a thread for each of the executor's slots. While one computes, another converts pixels or encodes.
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
        """`executor` is this machine where none is given, with a worker for each core.

        `tile_px` is the side of a tile in input pixels, halo included; where none is given it is `TILE_PX` or as much of it
        as memory allows, and for large pictures the fastest that was measured. `exact` forbids halos that are smaller
        than the contract's. The first engine of a process tells glibc to return what is freed (`memory.lower_trim_threshold`).
        """
        lower_trim_threshold()
        self.model = model
        self.exact = exact
        self._tile_px = tile_px
        self._calibration: Calibration | None = None
        self._calibrating = threading.Lock()
        self._executor = executor or _local(model, workers)
        self._schedule = Schedule(max_waiting, max_waiting_px)
        self._changed = threading.Condition()
        self._closed = False
        self._used = False
        self._threads = [
            threading.Thread(target=self._work, name=f"upconv-engine-{n}", daemon=True) for n in range(self._executor.slots)
        ]
        for thread in self._threads:
            thread.start()

    def plan(self, height: int, width: int) -> TilingPlan:
        """The tiles that a picture of this size becomes; raises `ImageTooLargeError` where it needs too much memory."""
        contract, side = self.model.contract, self._tile_px
        first = plan_tiles(height, width, contract, side or TILE_PX, exact=self.exact)
        if first.tiles[0].area <= (side**2 if side else HARMLESS_PX):
            return first
        measured = self._measured(speed=height * width >= LARGE_PX and not side)
        most_px = measured.most_px(available_bytes() / self._executor.slots)
        best = plan_tiles(height, width, contract, side or measured.tile_px, exact=self.exact, most_px=math.isqrt(most_px))
        if best.tiles[0].area > (most_px if isinstance(contract.halo, NoHalo) else 2 * most_px):
            raise _too_much_for_memory(contract, best.tiles[0], measured.bytes_per_px)
        return best

    def submit(
        self,
        work: TiledWork,
        on_tile: OnTile | None = None,
        *,
        priority: Priority = Priority.NORMAL,
        deadline: float = float("inf"),
    ) -> Future[None]:
        """Start on a picture; the future is done when its last tile is pasted.

        `on_tile(done, total)` is called from a worker after each tile. Cancelling the future frees the workers at
        once or at the next node of the graph. `deadline` counts as `time.monotonic()` does.

        Raises `Overloaded` where more waits than allowed. The future raises `TimedOut` after the deadline, `ModelError`
        where the model puts out what is no picture, and what `cut`, `paste` and `on_tile` raise.
        """
        request = PictureRequest(work, on_tile, priority, deadline)
        with self._changed:
            if self._closed:
                raise Cancelled("the engine has been closed")
            self._schedule.add(request)
            self._changed.notify_all()
        return request.future

    def enlarge(self, planes: Tensor) -> Tensor:
        """(C, H, W) float32 in the contract's range to (C, scale*H, scale*W), in tiles; waits for the result."""
        work = TiledArray(planes, self.plan(*planes.shape[1:]))
        self.submit(work).result()
        return work.result

    def close(self) -> None:
        """Stop after the tiles in work; what waits is cancelled."""
        with self._changed:
            self._closed = True
            waiting = list(self._schedule.drain())
            self._changed.notify_all()
        for request in waiting:
            request.fail(Cancelled("the engine has been closed"))
        for thread in self._threads:
            thread.join()
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _measured(self, *, speed: bool) -> Calibration:
        with self._calibrating:
            known = self._calibration
            if known is None or (speed and not known.seconds_per_px):
                self._calibration = known = calibrate(self.model, self._executor.slots, speed=speed)
            return known

    def _work(self) -> None:
        while (jobs := self._next()) is not None:
            self._compute(jobs)
            large = any(request.over and request.work.plan.computed_px > LARGE_PX for request, _ in jobs)
            if large or not jobs:
                with suppress(Exception):  # of no request, and the next run says what is wrong
                    self._executor.release()
            del jobs  # or a worker that waits would keep the last picture in memory

    def _next(self) -> list[tuple[PictureRequest, Tile]] | None:
        """The next batch, as soon as there is one; an empty one once when nothing came for a while, none at the end."""
        with self._changed:
            while not self._closed:
                if jobs := self._schedule.take(self._executor.batch):
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
            except BaseException as error:  # whatever it is, it ends this picture and not the worker
                request.fail(error)

    def _compute_batch(self, jobs: list[tuple[PictureRequest, Tile]]) -> None:
        try:
            outputs = self._output(np.concatenate([request.work.cut(tile) for request, tile in jobs]), Cancellation())
        except BaseException:  # one of them is at fault: each on its own finds out which
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
        """Compute one tile, in halves where memory does not suffice for the whole."""
        try:
            output = self._output(work.cut(tile), cancellation)
        except (OutOfMemoryError, MemoryError) as error:
            halves = work.plan.halves(tile)
            if not halves:
                raise _too_large(self.model, tile) from error
        else:
            work.paste(tile, output)
            return
        for half in halves:
            self._tile(work, half, cancellation)

    def _output(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        output, contract = self._executor.run(tensor, cancellation), self.model.contract
        expected = (*tensor.shape[:2], *(contract.scale * length for length in tensor.shape[2:]))
        if output.shape != expected:
            raise ModelError(f"{contract.name} made {output.shape} of {tensor.shape}; its contract promises {expected}")
        if not np.isfinite(output).all():
            raise ModelError(f"{contract.name} put out values that are no numbers; export it again and check parity")
        return output


def _local(model: Model, workers: int | None) -> LocalExecutor:
    fit = providers.concurrency_for(model.provider, available_cores())
    # What looks at the whole picture computes it on all cores; the second worker lets a small one pass by.
    whole = isinstance(model.contract.halo, NoHalo)
    return LocalExecutor(model, workers or (min(2, fit.workers) if whole else fit.workers), 1 if whole else fit.batch)


class TiledArray:
    """A picture in floats, (C, H, W), as one that has no pixels has to be."""

    def __init__(self, planes: Tensor, plan: TilingPlan) -> None:
        self.plan = plan
        self.result: Tensor = np.empty((planes.shape[0], plan.scale * plan.height, plan.scale * plan.width), np.float32)
        self._planes = planes

    def cut(self, tile: Tile) -> Tensor:
        """The tile's input, (1, C, h, w)."""
        rows, columns = tile.rows, tile.columns
        block = self._planes[:, rows.start : rows.stop, columns.start : columns.stop]
        return np.ascontiguousarray(self.plan.pad(block, tile)[None])

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Put what is to be kept of a tile's output into its place."""
        kept, (top, left) = self.plan.kept(tile, output[0])
        self.result[:, top : top + kept.shape[1], left : left + kept.shape[2]] = kept


def _too_large(model: Model, tile: Tile) -> OutOfMemoryError:
    height, width = tile.shape
    return OutOfMemoryError(
        f"{model.contract.name} runs out of memory on {width}x{height} pixels, which cannot be computed in smaller parts; "
        "free memory, use fewer workers or a smaller picture"
    )


def _too_much_for_memory(contract: Contract, tile: Tile, bytes_per_px: float) -> ImageTooLargeError:
    height, width = tile.shape
    why = f"looks {contract.halo}"
    if isinstance(contract.halo, NoHalo):
        why = f"looks at the whole picture at once ({contract.halo.node}: {contract.halo.reason})"
    return ImageTooLargeError(
        f"{contract.name} {why}, so {width}x{height} pixels have to be computed in one piece; that takes about "
        f"{tile.area * bytes_per_px / 2**30:.1f} GiB, which are not free; use fewer workers, a smaller picture or another model"
    )
