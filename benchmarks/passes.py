"""Measure a picture in one piece against tiles in passes, for a model with squeeze-and-excitation.

    python benchmarks/passes.py model.onnx --rounds 5

Both plans are computed in turns by the same engine. The ratio is the time in one piece divided by the time in passes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np

from upconv.runtime.calibration import TILE_PX
from upconv.runtime.engine import Engine
from upconv.runtime.session import Tensor, open_model
from upconv.runtime.statistics import passes_of
from upconv.runtime.tiled_array import TiledArray
from upconv.runtime.tiling import TilingPlan, plan_tiles

SIZES = ((800, 1000), (3000, 4000))
"""Heights and widths of the pictures, in pixels."""


@dataclass(frozen=True)
class Spent:
    """What one picture took."""

    wall_s: float
    """Seconds."""
    processor_s: float
    """Seconds of all cores."""


def spent(engine: Engine, planes: Tensor, plan: TilingPlan) -> Spent:
    """Compute a picture with a plan and return what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    for part in passes_of(TiledArray(planes, plan), engine.model.contract):
        engine.submit(part).result()
    return Spent(time.perf_counter() - wall, time.process_time() - processor)


def main() -> None:
    """Print the ratio of each size that the engine computes in one piece."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with Engine(open_model(arguments.model)) as engine:
        for height, width in SIZES:
            chosen = engine.plan(height, width)
            print(f"{width}x{height}: {len(chosen.tiles)} tiles, {chosen.passes} passes, {chosen.waste:.2f} pixels per pixel")
            if chosen.passes > 1:
                continue
            planes = np.random.default_rng(0).random((3, height, width), np.float32)
            tiles = plan_tiles(height, width, engine.model.contract, TILE_PX)
            pairs = [(spent(engine, planes, chosen), spent(engine, planes, tiles)) for _ in range(arguments.rounds)]
            for name in ("wall_s", "processor_s"):
                ratios = [getattr(one, name) / getattr(passes, name) for one, passes in pairs]
                print(f"  {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
