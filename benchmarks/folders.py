"""The gain of several pictures at once: `python benchmarks/folders.py [--pictures 12] [--format png]`.

The same folder of photographs is upscaled with one picture at a time and with several, in turns. Each row gives the pictures
per second as a ratio to one at a time, as the median over the rounds. The first round is a warm-up and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from upconv.models import bundled
from upconv.runtime import Upscaler, codecs
from upconv.runtime.cores import available_cores
from upconv.runtime.folders import find_tasks, process_folder
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.resampling import resize

DATA = Path(__file__).parent.parent / "tests" / "data"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=bundled())
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--format", default="png", choices=codecs.WRITABLE)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()

    cores = available_cores()
    candidates = sorted({1, 2, cores + 1, 2 * cores + 1})
    seconds: dict[int, list[float]] = {in_flight: [] for in_flight in candidates}
    with tempfile.TemporaryDirectory() as name, Upscaler(arguments.model) as upscaler:
        folder = filled(Path(name) / "in", arguments.pictures, arguments.format)
        for turn in range(arguments.rounds + 1):
            for in_flight in candidates:
                duration_s = upscaled(folder, Path(name) / "out", upscaler, in_flight)
                if turn:
                    seconds[in_flight].append(duration_s)
    print(
        f"{arguments.model.name}, {arguments.pictures} pictures as {arguments.format}, {cores} cores, {arguments.rounds} rounds"
    )
    print(f"{'at once':<9}{'ratio':>7}{'spread':>14}")
    for in_flight, times in seconds.items():
        ratios = sorted(one / own for one, own in zip(seconds[1], times, strict=True))
        print(f"{in_flight:<9}{statistics.median(ratios):>7.2f}{ratios[0]:>8.2f}-{ratios[-1]:.2f}")


def filled(folder: Path, count: int, format: str) -> Path:
    """Make a folder of photographs of several sizes."""
    folder.mkdir()
    photographs = [codecs.read(path) for path in sorted(DATA.glob("*.jpg"))]
    for n in range(count):
        picture = photographs[n % len(photographs)]
        width, height = picture.width - 40 * (n % 5), picture.height - 20 * (n % 5)
        data, _ = codecs.encode(picture.with_samples(resize(picture.samples, width, height)), format)
        (folder / f"{n:03}.{format}").write_bytes(data)
    return folder


def upscaled(folder: Path, out: Path, upscaler: Upscaler, in_flight: int) -> float:
    """Upscale a folder and return the seconds that it takes."""
    started = time.perf_counter()
    outcomes = list(process_folder(find_tasks([folder], out).jobs, upscaler, UpscaleOptions(), in_flight=in_flight))
    assert all(outcome.status == "done" for outcome in outcomes), outcomes
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
