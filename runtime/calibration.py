"""The tile size that is fastest per pixel that is kept, found by measuring the model where it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from upconv.runtime import providers
from upconv.runtime.contract import Halo
from upconv.runtime.memory import available_bytes, resident_bytes
from upconv.runtime.session import Model, open_session

TILE_PX = 384
"""Side of a tile in input pixels, halo included, where nothing was measured: the smallest that `benchmarks/tiles.py` found
about as fast as any."""

SIDES_PX = (64, 128, 192, 256, 384, 512, 768, 1024)
"""What is chosen from."""

BUDGET_S = 0.25
"""Seconds that measuring may take."""

TILE_BYTES = 256 * 2**20
"""Memory that a worker's tile may take."""

GAIN = 0.97
"""A larger tile has to save 3 % for the memory that it takes."""


@dataclass(frozen=True)
class Calibration:
    """What was measured."""

    seconds_per_px: dict[int, float]
    """Of tiles of these sides, ascending."""
    bytes_per_px: float
    """Memory per input pixel of a tile."""

    def tile_px(self, halo: Halo | None) -> int:
        """The fastest side whose memory is within bounds."""
        best, best_cost = SIDES_PX[0], math.inf
        for side in (side for side in SIDES_PX if side * side * self.bytes_per_px <= TILE_BYTES):
            kept = (side - _overlap(halo, "top", "bottom")) * (side - _overlap(halo, "left", "right"))
            cost = self._at(side) * side * side / kept if kept > 0 else math.inf
            if cost < best_cost * GAIN:
                best, best_cost = side, cost
        return best

    def most_px(self, workers: int) -> int:
        """Pixels of the largest tile for which there is memory, when every worker has one."""
        return max(1, int(available_bytes() / 2 / workers / self.bytes_per_px))

    def _at(self, side: int) -> float:
        """Seconds per pixel as measured, or as of the largest side that was: beyond a certain size it hardly changes."""
        return self.seconds_per_px[max(measured for measured in self.seconds_per_px if measured <= side)]


def calibrate(model: Model) -> Calibration:
    """Measure growing tiles for about `BUDGET_S`, in a session of its own, whose memory nobody has filled yet."""
    alone = replace(model, session=open_session(model.path, providers.short_name(model.provider)))
    # On a processor the thread's own time, which others do not change; an accelerator is waited for.
    clock = time.thread_time if model.provider == providers.NAMES["cpu"] else time.perf_counter
    before = resident_bytes()
    seconds_per_px = _seconds_per_px(alone, clock)
    after = resident_bytes()
    grown = (after - before) / max(seconds_per_px) ** 2 if before is not None and after is not None else 0
    return Calibration(seconds_per_px, max(grown, _least_bytes_per_px(model)))


def _seconds_per_px(model: Model, clock: Callable[[], float]) -> dict[int, float]:
    seconds_per_px: dict[int, float] = {}
    left = BUDGET_S
    for side in SIDES_PX:
        shape = model.contract.fitted(side, side)
        times = [_seconds(model, shape, clock) for _ in range(2)]
        seconds_per_px[side] = min(times) / math.prod(shape)
        left -= sum(times)
        if left < 2 * seconds_per_px[side] * (2 * side) ** 2:
            break
    return seconds_per_px


def _seconds(model: Model, shape: tuple[int, int], clock: Callable[[], float]) -> float:
    assert model.contract.input is not None
    tensor = np.full((1, model.contract.input.channels, *shape), 0.5, np.float32)
    started = clock()
    model.run(tensor)
    return clock() - started


def _least_bytes_per_px(model: Model) -> float:
    """Input and output at least, twice over."""
    assert model.contract.input is not None and model.contract.output is not None
    return 8.0 * (model.contract.input.channels + model.contract.output.channels * model.contract.scale**2)


def _overlap(halo: Halo | None, before: str, after: str) -> int:
    return 0 if halo is None else int(getattr(halo, before) + getattr(halo, after))
