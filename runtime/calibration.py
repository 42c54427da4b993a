"""What a tile takes of memory, and the size that is fastest per pixel that is kept, by measuring the model where it runs."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from upconv.runtime import providers
from upconv.runtime.contract import Halo
from upconv.runtime.memory import available_bytes
from upconv.runtime.session import Model, open_session

TILE_PX = 384
"""Side of a tile in input pixels, halo included, where nothing was measured: the smallest that `benchmarks/tiles.py` found
about as fast as any."""

SIDES_PX = (128, 192, 256, 384, 512, 768, 1024)
"""What is chosen from."""

BUDGET_S = 0.25
"""Seconds that measuring speed may take."""

ROUNDS = 3
"""How often each size is tried, where that is within `BUDGET_S`."""

MEMORY_PX = 64
"""Side of the tile that tells what memory a pixel takes."""

TILE_BYTES = 256 * 2**20
"""Memory that a worker's tile may take, where it has twice as much."""

LARGE_SHARE = 1 / 16
"""Of a worker's memory, what its tile may take beyond that for `LARGE_GAIN`."""

LIVE = 2.0
"""Memory that a run takes, per byte of its largest node: what else is alive then, and what the allocator rounds up. Found
to be between 1.1 and 3 for the bundled models and an RRDBNet of 23 blocks."""

UNKNOWN_BYTES_PER_PX = 1536.0
"""What is assumed where it cannot be measured: as much as any bundled model takes."""

GAIN, LARGE_GAIN = 0.97, 0.9
"""A larger tile has to save 3 % for the memory that it takes, and one beyond `TILE_BYTES` 10 %."""


@dataclass(frozen=True)
class Calibration:
    """What was measured."""

    bytes_per_px: float
    """Memory per input pixel of a tile."""
    free_bytes: float
    """Memory that was free for each worker then."""
    seconds_per_px: dict[int, float] = field(default_factory=dict)
    """Of tiles of these sides, ascending; none where only memory was measured."""

    def tile_px(self, halo: Halo | None) -> int:
        """The fastest side whose memory is within bounds; where no speed was measured, the largest up to `TILE_PX`."""
        usual = min(TILE_BYTES, self.free_bytes / 2)
        sides = [side for side in SIDES_PX if self._bytes(side) <= max(usual, self.free_bytes * LARGE_SHARE)]
        if not self.seconds_per_px:
            return max((side for side in sides if side <= TILE_PX), default=SIDES_PX[0])
        best, best_cost = SIDES_PX[0], math.inf
        for side in sides:
            kept = (side - _overlap(halo, "top", "bottom")) * (side - _overlap(halo, "left", "right"))
            cost = self._at(side) * side * side / kept if kept > 0 else math.inf
            if cost < best_cost * (GAIN if self._bytes(side) <= usual else LARGE_GAIN):
                best, best_cost = side, cost
        return best

    def most_px(self, free_bytes: float) -> int:
        """Pixels of the largest tile for which there is memory, where so much is free for each worker now."""
        return max(1, int(free_bytes / 2 / max(1, self.bytes_per_px)))

    def _bytes(self, side: int) -> float:
        return side * side * self.bytes_per_px

    def _at(self, side: int) -> float:
        """Seconds per pixel as measured, or as of the largest side that was: beyond a certain size it hardly changes."""
        return self.seconds_per_px[max(measured for measured in self.seconds_per_px if measured <= side)]


def calibrate(model: Model, workers: int, *, speed: bool) -> Calibration:
    """Measure the memory of a small tile or, for `speed`, growing ones for about `BUDGET_S`, in a session of its own."""
    free_bytes = available_bytes() / workers
    try:
        place = tempfile.TemporaryDirectory()
    except OSError:  # nowhere to write, so that onnxruntime cannot give its account
        return Calibration(UNKNOWN_BYTES_PER_PX, free_bytes)
    with place as folder:
        provider, wishes = providers.short_name(model.provider), model.contract.session
        session = open_session(model.path, provider, profile=Path(folder, "profile"), wishes=wishes)
        # On a processor the thread's own time, which others do not change; an accelerator is waited for.
        clock = time.thread_time if model.provider == providers.NAMES["cpu"] else time.perf_counter
        alone = replace(model, session=session)
        seconds_per_px = _seconds_per_px(alone, clock) if speed else {}
        largest = model.contract.fitted(*[max(seconds_per_px, default=MEMORY_PX)] * 2)
        if not speed:
            _seconds(alone, largest, clock)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_bytes())
    return Calibration(LIVE * _largest_node_bytes(events) / math.prod(largest), free_bytes, seconds_per_px)


def _largest_node_bytes(events: list[dict[str, Any]]) -> int:
    """What the node with the largest inputs and outputs holds of them, in any of the profiled runs."""
    sizes = [event["args"] for event in events if "output_size" in event.get("args", {})]
    return max((int(size["activation_size"]) + int(size["output_size"]) for size in sizes), default=0)


def _seconds_per_px(model: Model, clock: Callable[[], float]) -> dict[int, float]:
    """The least of up to `ROUNDS` runs of each side, in turns: the machine's own speed changes meanwhile."""
    seconds_per_px: dict[int, float] = {}
    left = BUDGET_S
    for number in range(ROUNDS):
        for side in list(seconds_per_px) or SIDES_PX:
            shape = model.contract.fitted(side, side)
            seconds = _seconds(model, shape, clock)
            seconds_per_px[side] = min(seconds / math.prod(shape), seconds_per_px.get(side, math.inf))
            left -= seconds
            if left < (0 if number else 2 * seconds_per_px[side] * (2 * side) ** 2):
                break
        if left < 0:
            break
    return seconds_per_px


def _seconds(model: Model, shape: tuple[int, int], clock: Callable[[], float]) -> float:
    assert model.contract.input is not None
    tensor = np.full((1, model.contract.input.channels, *shape), 0.5, np.float32)
    started = clock()
    model.run(tensor)
    return clock() - started


def _overlap(halo: Halo | None, before: str, after: str) -> int:
    return 0 if halo is None else int(getattr(halo, before) + getattr(halo, after))
