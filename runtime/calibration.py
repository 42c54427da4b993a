"""Calibration of tiles: the memory that a pixel takes, and the fastest tile side.

Both are measured with the model itself, on the machine that serves.
"""

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
"""Side of a tile in input pixels, halo included, if speed is not measured. It is the smallest side that
`benchmarks/tiles.py` found to be about as fast as any."""

SIDES_PX = (128, 192, 256, 384, 512, 768, 1024)
"""The sides to choose from, in input pixels, halo included."""

BUDGET_S = 0.25
"""Seconds of computing after which the measurement of speed ends."""

ROUNDS = 3
"""Largest number of runs of each side within `BUDGET_S`."""

MEMORY_PX = 64
"""Side of the tile that measures the memory per pixel, if speed is not measured."""

TILE_BYTES = 256 * 2**20
"""Memory that a worker's tile may take, or half of the worker's free memory if that is less."""

LARGE_SHARE = 1 / 16
"""Share of a worker's free memory that its tile may take beyond `TILE_BYTES`, if it saves `LARGE_GAIN`."""

LIVE = 2.0
"""Peak memory of a run, as a multiple of the inputs and outputs of its largest node. It covers other live tensors and
the rounding of the allocator. Measured: 1.1 to 3 for the bundled models and an RRDBNet of 23 blocks."""

UNKNOWN_BYTES_PER_PX = 1536.0
"""Assumed memory per pixel if it cannot be measured: as much as any bundled model takes."""

GAIN, LARGE_GAIN = 0.97, 0.9
"""Cost of a larger tile, relative to the best smaller one, below which it is chosen: it must save 3 %, and 10 % beyond
`TILE_BYTES`."""


@dataclass(frozen=True)
class Calibration:
    """The measured memory and speed of a model's tiles."""

    bytes_per_px: float
    """Memory per input pixel of a tile, in bytes."""
    free_bytes: float
    """Memory that was free for each worker during the measurement, in bytes."""
    seconds_per_px: dict[int, float] = field(default_factory=dict)
    """Seconds per input pixel by tile side, ascending. Empty if only memory was measured."""

    def tile_px(self, halo: Halo | None) -> int:
        """Return the tile side that is fastest per kept pixel and whose memory is within bounds.

        If speed was not measured, return the largest side up to `TILE_PX` whose memory is within bounds.
        """
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
        """Return the largest number of pixels that a tile may have, if each worker has `free_bytes` of memory."""
        return max(1, int(free_bytes / 2 / max(1, self.bytes_per_px)))

    def _bytes(self, side: int) -> float:
        return side * side * self.bytes_per_px

    def _at(self, side: int) -> float:
        """Return the seconds per pixel of the largest measured side up to `side`; beyond a certain side they hardly change."""
        return self.seconds_per_px[max(measured for measured in self.seconds_per_px if measured <= side)]


def calibrate(model: Model, workers: int, *, speed: bool) -> Calibration:
    """Measure the memory per pixel of a model's tiles and, with `speed`, the time per pixel.

    The measurement of speed takes about `BUDGET_S` seconds of computing. It runs in a session of its own, which profiles
    the sizes of all tensors. If there is no temporary folder for the profile, nothing is measured.
    """
    free_bytes = available_bytes() / workers
    try:
        place = tempfile.TemporaryDirectory()
    except OSError:  # onnxruntime cannot write its profile
        return Calibration(UNKNOWN_BYTES_PER_PX, free_bytes)
    with place as folder:
        provider, settings = providers.short_name(model.provider), model.contract.session
        session = open_session(model.path, provider, profile=Path(folder, "profile"), settings=settings)
        # On a processor, thread time ignores the load of other threads. An accelerator's time is spent waiting for it.
        clock = time.thread_time if model.provider == providers.NAMES["cpu"] else time.perf_counter
        alone = replace(model, session=session)
        seconds_per_px = _seconds_per_px(alone, clock) if speed else {}
        largest = _shape(model, max(seconds_per_px, default=MEMORY_PX))
        if not speed:
            _seconds(alone, largest, clock)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_bytes())
    return Calibration(LIVE * _largest_node_bytes(events) / math.prod(largest), free_bytes, seconds_per_px)


def _largest_node_bytes(events: list[dict[str, Any]]) -> int:
    """Return the bytes of inputs and outputs of the node that has the most, over all profiled runs."""
    sizes = [event["args"] for event in events if "output_size" in event.get("args", {})]
    return max((int(size["activation_size"]) + int(size["output_size"]) for size in sizes), default=0)


def _seconds_per_px(model: Model, clock: Callable[[], float]) -> dict[int, float]:
    """Return the shortest of up to `ROUNDS` runs of each side, measured in turns because the machine's speed varies."""
    seconds_per_px: dict[int, float] = {}
    left = BUDGET_S
    for number in range(ROUNDS):
        for side in list(seconds_per_px) or SIDES_PX:
            shape = _shape(model, side)
            seconds = _seconds(model, shape, clock)
            seconds_per_px[side] = min(seconds / math.prod(shape), seconds_per_px.get(side, math.inf))
            left -= seconds
            if left < (0 if number else 2 * seconds_per_px[side] * (2 * side) ** 2):
                break
        if left < 0:
            break
    return seconds_per_px


def _shape(model: Model, side: int) -> tuple[int, int]:
    """Return the height and width that the model accepts and that are closest to `side`."""
    laws = (model.contract.height, model.contract.width)
    fitted = model.contract.fitted(side, side)
    height, width = (
        length if law is None else law.fitted_down(length) or law.fitted(0) for law, length in zip(laws, fitted, strict=True)
    )
    return height, width


def _seconds(model: Model, shape: tuple[int, int], clock: Callable[[], float]) -> float:
    assert model.contract.input is not None
    tensor = np.full((1, model.contract.input.channels, *shape), 0.5, np.float32)
    started = clock()
    model.run(tensor)
    return clock() - started


def _overlap(halo: Halo | None, before: str, after: str) -> int:
    return 0 if halo is None else int(getattr(halo, before) + getattr(halo, after))
