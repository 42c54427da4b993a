"""Runs tiles: all requests feed one engine, and take turns tile by tile, so that a small picture never waits long."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from upconv.runtime.errors import Cancelled, ModelError, Overloaded
from upconv.runtime.session import Model, Tensor
from upconv.runtime.tiling import Plan, Tile, plan

TILE_PX = 384
"""Side of a tile in input pixels, halo included: the smallest that `benchmarks/tiles.py` found about as fast as any."""


class Engine:
    """Worker threads that compute tiles of any number of pictures with one model.

    A worker takes one tile of the request whose turn it is, and the request goes to the end of the line.
    """

    def __init__(self, model: Model, *, workers: int | None = None, tile_px: int = TILE_PX, max_waiting: int = 1024) -> None:
        self.model = model
        self.tile_px = tile_px
        self._max_waiting = max_waiting
        self._line: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"upconv-engine-{n}", daemon=True)
            for n in range(workers or available_cores())
        ]
        for thread in self._threads:
            thread.start()

    def plan(self, height: int, width: int) -> Plan:
        """The tiles that a picture of this size becomes."""
        return plan(height, width, self.model.contract, self.tile_px)

    def submit(self, tensor: Tensor, on_tile: Callable[[int, int], None] | None = None) -> Future[Tensor]:
        """Start on a picture, (C, H, W) float32 in the contract's range; the future holds (C, scale*H, scale*W).

        `on_tile(done, total)` is called from a worker after each tile. Cancelling the future frees the workers at
        the next tile. Raises `Overloaded` where more requests wait than allowed; the future raises `ModelError`
        where the model puts out anything that is no number.
        """
        tiles = self.plan(*tensor.shape[1:])
        request = _Request(tiles, tiles.pad(tensor), tiles.new_result(tensor.shape[0]), on_tile, deque(tiles.tiles))
        with self._changed:
            if self._closed:
                raise Cancelled("the engine has been closed")
            if len(self._line) >= self._max_waiting:
                raise Overloaded(f"{len(self._line)} pictures are waiting already; try again later")
            self._line.append(request)
            self._changed.notify_all()
        return request.future

    def close(self) -> None:
        """Stop after the tiles in work; what waits is cancelled."""
        with self._changed:
            self._closed = True
            waiting, self._line = list(self._line), deque()
            self._changed.notify_all()
        for request in waiting:
            request.fail(Cancelled("the engine has been closed"))
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._compute(*job)
            del job  # or a worker that waits would keep the last picture in memory

    def _compute(self, request: _Request, tile: Tile) -> None:
        try:
            request.finish(tile, self._output(request.tiles.cut(request.picture, tile)))
        except BaseException as error:  # whatever it is, it ends this picture and not the worker
            request.fail(error)

    def _output(self, tensor: Tensor) -> Tensor:
        output, contract = self.model.run(tensor), self.model.contract
        expected = (*tensor.shape[:2], *(contract.scale * length for length in tensor.shape[2:]))
        if output.shape != expected:
            raise ModelError(f"{contract.name} made {output.shape} of {tensor.shape}; its contract promises {expected}")
        if not np.isfinite(output).all():
            raise ModelError(f"{contract.name} put out values that are no numbers; export it again and check parity")
        return output

    def _next(self) -> tuple[_Request, Tile] | None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._line or self._closed)
                if self._closed:
                    return None
                request = self._line.popleft()
                if request.over:
                    continue
                tile = request.waiting.popleft()
                if request.waiting:
                    self._line.append(request)
                return request, tile


@dataclass
class _Request:
    """One picture on its way."""

    tiles: Plan
    picture: Tensor
    result: Tensor
    on_tile: Callable[[int, int], None] | None
    waiting: deque[Tile]
    future: Future[Tensor] = field(default_factory=Future)
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Whether nobody needs further tiles."""
        return self.future.done()

    def finish(self, tile: Tile, output: Tensor) -> None:
        self.tiles.paste(self.result, tile, output)
        with self.lock:
            self.done += 1
            done, total = self.done, len(self.tiles.tiles)
        # Before the future is set: whoever waits for it has then seen all progress.
        if self.on_tile is not None and not self.over:
            self.on_tile(done, total)
        if done == total:
            with contextlib.suppress(InvalidStateError):  # called off meanwhile
                self.future.set_result(self.result)

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


def available_cores() -> int:
    """Processor cores that this process may use, by affinity and by the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
