"""A comparison of PNG levels and filters: `python benchmarks/png.py [PICTURE ...] [--side 1024]`.

Every level and filter encodes the same pictures, in turns: photographs of `--side` pixels, and a drawing of flat colours. Each
row gives the processor time as a ratio to the default of libvips (level 6, no filter), as the median over the rounds, and the
bytes per pixel. The first round is a warm-up and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from upconv.runtime import codecs
from upconv.runtime.codecs.encoding import PNG_FILTERS, PNG_LEVEL
from upconv.runtime.picture import Samples
from upconv.runtime.resampling import resize, to_image

DATA = Path(__file__).parent.parent / "tests" / "data"
LEVELS = (1, 2, 3, 6)
BASE = (6, "none")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path, default=sorted(DATA.glob("*.jpg")))
    parser.add_argument("--side", type=int, default=1024, help="longer side of the pictures, in pixels")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()

    pictures = [to_image(upscaled(path, arguments.side)) for path in arguments.pictures]
    groups = {"photographs": pictures, "drawing": [to_image(drawing(arguments.side))]}
    for name, images in groups.items():
        print(f"{name}, {arguments.side} px, {arguments.rounds} rounds; upconv writes level {PNG_LEVEL}, filter up")
        print(f"{'level':<6}{'filter':<9}{'time':>7}{'spread':>12}{'bytes/pixel':>13}")
        rows = measured(images, arguments.rounds)
        base = rows[BASE][0]
        for (level, kind), (seconds, size) in rows.items():
            ratios = sorted(own / other for own, other in zip(seconds, base, strict=True))
            spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
            print(f"{level:<6}{kind:<9}{statistics.median(ratios):>7.2f}{spread:>12}{size:>13.2f}")


def upscaled(path: Path, side: int) -> Samples:
    """Return a photograph whose longer side is `side`, by interpolation."""
    samples = codecs.read(path).samples
    factor = side / max(samples.shape[:2])
    return resize(samples, round(samples.shape[1] * factor), round(samples.shape[0] * factor))


def drawing(side: int) -> Samples:
    """Return rectangles of flat colours, as in a screenshot."""
    random = np.random.default_rng(0)
    canvas = np.full((side, side, 3), 255, np.uint8)
    for _ in range(400):
        y, x = random.integers(0, side, 2)
        height, width = random.integers(2, side // 8, 2)
        canvas[y : y + height, x : x + width] = random.integers(0, 256, 3)
    return canvas


def measured(images: list[Any], rounds: int) -> dict[tuple[int, str], tuple[list[float], float]]:
    """Return the seconds of each round after the first, and the bytes per pixel, of each level and filter."""
    seconds: dict[tuple[int, str], list[float]] = {(level, kind): [] for kind in PNG_FILTERS for level in LEVELS}
    sizes = dict.fromkeys(seconds, 0.0)
    pixels = sum(image.width * image.height for image in images)
    for turn in range(rounds + 1):
        for level, kind in seconds:
            started = time.process_time()
            written = [image.pngsave_buffer(compression=level, filter=PNG_FILTERS[kind]) for image in images]
            if turn:
                seconds[level, kind].append(time.process_time() - started)
            sizes[level, kind] = sum(map(len, written)) / pixels
    return {key: (times, sizes[key]) for key, times in seconds.items()}


if __name__ == "__main__":
    main()
