"""Which tile size is fastest here, and what tiling costs: `python benchmarks/tiles.py [MODEL.onnx] [--side 1024]`.

Every candidate enlarges the same noise, in turns in one run; each row gives its time as a ratio to the whole picture in one
run of onnxruntime with as many threads, median over the rounds. The first round warms up and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upconv.models import bundled
from upconv.runtime import Engine, open_model
from upconv.runtime.cores import available_cores

TILES_PX = (64, 96, 128, 192, 256, 384, 512)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=bundled())
    parser.add_argument("--side", type=int, default=1024, help="pixels of the square picture")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    cores = available_cores()
    whole, single = open_model(arguments.model, threads=cores), open_model(arguments.model)
    picture = np.random.default_rng(0).random(
        (single.contract.input.channels if single.contract.input else 3, *[arguments.side] * 2), np.float32
    )
    engines = {tile_px: Engine(single, workers=cores, tile_px=tile_px) for tile_px in TILES_PX}
    candidates: dict[str, Callable[[], object]] = {"whole": lambda: whole.run(picture[None])}
    candidates |= {f"{tile_px} px": partial(enlarge, engine, picture) for tile_px, engine in engines.items()}

    seconds = in_turns(candidates, arguments.rounds)
    print(f"{arguments.model.name}, {arguments.side}x{arguments.side}, {cores} cores, {arguments.rounds} rounds")
    base = statistics.median(seconds["whole"])
    print(f"{'tile':<8}{'ratio':>7}{'spread':>14}{'computed / kept':>17}")
    for name, times in seconds.items():
        ratios = sorted(t / base for t in times)
        waste = 1.0 if name == "whole" else engines[int(name.split()[0])].plan(*picture.shape[1:]).waste
        print(f"{name:<8}{statistics.median(ratios):>7.3f}{ratios[0]:>8.2f}-{ratios[-1]:.2f}{waste:>15.3f}")
    for engine in engines.values():
        engine.close()


def enlarge(engine: Engine, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """One picture in tiles."""
    return engine.enlarge(picture)


def in_turns(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate in each round after the first."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, run in candidates.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
