"""Folders on Ray against folders here: `python benchmarks/ray_folder.py [--pictures 2000] [--rounds 3]`, with Ray installed.

Both upscale the same small photographs on the same cores, in turns. The rate is that between the first and the last result, so the start
of Ray and of the processes is left out; the time of the whole command is stated beside it. The second ratio is that of the rates in the second half
of the pictures, when all processes run in both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

PHOTOGRAPH = Path(__file__).parents[1] / "tests" / "data" / "rocket.jpg"
HEIGHT, WIDTH = 64, 96


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="upsample-s-x2")
    arguments = parser.parse_args()
    ratios, later = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        make(source, arguments.pictures)
        for number in range(arguments.rounds):
            here, here_later, here_s = rates(source, Path(folder, f"here {number}"), arguments.model)
            ray, ray_later, ray_s = rates(source, Path(folder, f"ray {number}"), arguments.model, "--on", "ray")
            ratios.append(ray / here)
            later.append(ray_later / here_later)
            print(
                f"round {number + 1}: here {here:.1f} pictures/s ({here_s:.1f} s), on Ray {ray:.1f} ({ray_s:.1f} s), ratio {ratios[-1]:.2f}; "
                f"second half {here_later:.1f} and {ray_later:.1f}, ratio {later[-1]:.2f}; load {os.getloadavg()[0]:.1f}"
            )
    print(f"median ratio {statistics.median(ratios):.2f}, of the second half {statistics.median(later):.2f}")


def make(folder: Path, count: int) -> None:
    """Write small photographs, which are parts of one."""
    folder.mkdir()
    samples, random = codecs.read(PHOTOGRAPH).samples, np.random.default_rng(0)
    for number in range(count):
        y, x = (random.integers(0, length - side) for length, side in zip(samples.shape, (HEIGHT, WIDTH), strict=False))
        part = np.ascontiguousarray(samples[y : y + HEIGHT, x : x + WIDTH], np.uint8)
        (folder / f"{number:05}.jpg").write_bytes(codecs.encode(Picture(part), "jpeg")[0])


def rates(source: Path, output: Path, model: str, *more: str) -> tuple[float, float, float]:
    """Return the pictures per second between the first and the last result, those in the second half, and the seconds of the whole command."""
    command = [sys.executable, "-m", "upconv", "upscale", str(source), "-o", str(output), "--model", model, "--jsonl", *more]
    started, times = time.perf_counter(), list[float]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for _ in run.stdout:
            times.append(time.perf_counter())
    half = len(times) // 2
    return (
        (len(times) - 1) / (times[-1] - times[0]),
        (len(times) - 1 - half) / (times[-1] - times[half]),
        time.perf_counter() - started,
    )


if __name__ == "__main__":
    main()
