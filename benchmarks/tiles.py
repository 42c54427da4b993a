"""The cost of tiling by tile size: `python benchmarks/tiles.py [MODEL.onnx] [--side 2048] [--tiles 256 384]`.

Every candidate upscales the same noise, in turns. Each row gives its time as a ratio to one run of onnxruntime on the whole
picture with the same number of threads, as the median over the rounds, in wall-clock time and in processor time. The first
round is a warm-up and does not count. "measured" is the tile that the engine chooses.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from upconv.models import bundled
from upconv.runtime import Engine, open_model
from upconv.runtime.cores import available_cores


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=bundled())
    parser.add_argument("--side", type=int, default=2048, help="side of the square picture, in pixels")
    parser.add_argument("--tiles", type=int, nargs="*", default=[128, 192, 256, 384, 512], help="sides of the tiles, in pixels")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    cores = available_cores()
    whole, single = open_model(arguments.model, threads=cores), open_model(arguments.model)
    channels = single.contract.input.channels if single.contract.input else 3
    picture = np.random.default_rng(0).random((channels, arguments.side, arguments.side), np.float32)
    engines = {f"{px} px": Engine(single, workers=cores, tile_px=px) for px in arguments.tiles}
    engines["measured"] = Engine(single, workers=cores)
    candidates: dict[str, Callable[[], object]] = {"whole": lambda: whole.run(picture[None])}
    candidates |= {name: partial(engine.enlarge, picture) for name, engine in engines.items()}

    seconds = in_turns(candidates, arguments.rounds)
    print(f"{arguments.model.name}, {arguments.side}x{arguments.side}, {cores} cores, {arguments.rounds} rounds")
    print(f"{'tile':<10}{'time':>7}{'spread':>14}{'processor':>11}{'computed / kept':>17}{'tiles':>15}")
    for name, rounds in seconds.items():
        clock, processor = (
            sorted(turn[which] / base[which] for turn, base in zip(rounds, seconds["whole"], strict=True)) for which in (0, 1)
        )
        plan = engines[name].plan(*picture.shape[1:]) if name in engines else None
        shape = "x".join(map(str, plan.tiles[0].shape)) if plan else ""
        print(
            f"{name:<10}{statistics.median(clock):>7.3f}{clock[0]:>8.2f}-{clock[-1]:.2f}{statistics.median(processor):>13.3f}"
            f"{plan.waste if plan else 1:>15.3f}{f'{len(plan.tiles)} of {shape}' if plan else '':>17}"
        )
    for engine in engines.values():
        engine.close()


def in_turns(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the wall-clock seconds and processor seconds of each candidate in each round after the first."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, run in candidates.items():
            clock, processor = time.perf_counter(), time.process_time()
            run()
            if turn:
                seconds[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return seconds


if __name__ == "__main__":
    main()
