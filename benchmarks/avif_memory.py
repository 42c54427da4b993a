"""The memory of large AVIF pictures: `python benchmarks/avif_memory.py [--width 3000] [--height 2000] [--bits 10]`.

A photograph with added noise is written as AVIF, and `upconv upscale` makes an AVIF file of it in a process of its own. The result
is the peak of the resident memory of that process and of the processes that it starts, all together, sampled every 20 ms, shared pages counted once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import Picture, codecs
from upconv.runtime.resampling import resize

PHOTOGRAPH = Path(__file__).parents[1] / "tests" / "data" / "flower.jpg"
SAMPLED_S = 0.02


def main() -> None:
    """Measure one size and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=3000)
    parser.add_argument("--height", type=int, default=2000)
    parser.add_argument("--bits", type=int, default=10, choices=(8, 10, 12))
    parser.add_argument("--format", default="avif", choices=codecs.WRITABLE, help="of the result")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "source.avif"), Path(folder, f"result.{given.format}")
        source.write_bytes(codecs.encode(photograph(given.width, given.height, given.bits), "avif")[0])
        command = [sys.executable, "-m", "upconv", "upscale", str(source), "-o", str(result)]
        started = time.perf_counter()
        with subprocess.Popen(command) as process:
            peaks = watched(process)
        if process.returncode:
            sys.exit(process.returncode)
        seconds = time.perf_counter() - started
        size = result.stat().st_size / 1e6
    own, all_mb = peaks
    print(
        f"{given.width}x{given.height} of {given.bits} bits to {given.format}: peak {all_mb:.0f} MB in all processes, "
        f"{own:.0f} MB in the first, {seconds:.0f} s, {size:.1f} MB written"
    )


def photograph(width: int, height: int, bits: int) -> Picture:
    """Return a photograph of this size with noise, in 8 or 16 bits."""
    samples = resize(codecs.read(PHOTOGRAPH).samples, width, height).astype(np.int32)
    noisy = samples + np.random.default_rng(0).integers(-8, 9, samples.shape)
    if bits == 8:
        return Picture(np.clip(noisy, 0, 255).astype(np.uint8))
    deep: NDArray[np.uint16] = np.clip(noisy * 257, 0, 65535).astype(np.uint16)
    picture = Picture(deep)
    return replace(picture, metadata=replace(picture.metadata, bits=bits))


def watched(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for a process; return its peak resident memory, and that of it and its descendants together, in MB."""
    own, together = 0.0, 0.0
    while process.poll() is None:
        sizes = [resident_mb(number) for number in (process.pid, *descendants(process.pid))]
        own, together = max(own, sizes[0]), max(together, sum(sizes))
        time.sleep(SAMPLED_S)
    return own, together


def descendants(number: int) -> list[int]:
    """Return the numbers of all processes that a process has started."""
    found: list[int] = []
    for tasks in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            children = [int(word) for word in tasks.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def resident_mb(number: int) -> float:
    """Return the resident memory of a process in MB, with its share of pages that others have too; 0 if it has ended.

    A process that was just started has all pages of its parent, which must not count twice.
    """
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


if __name__ == "__main__":
    main()
