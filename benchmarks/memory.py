"""The memory of large pictures and of many requests: `python benchmarks/memory.py [--requests 500]`.

Peak: a photograph of up to 5000x5000 pixels with added noise is read from a PNG or JPEG file, upscaled by the default model and
written. Each case has its own process. The results are the peak of the resident memory, and seconds per megapixel against
1000x1000.

Growth: the resident memory after 50 requests and after all requests, immediately and after the engine was idle for a moment.
The requests have mixed sizes and formats, and come from four threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upconv.models import bundled
from upconv.runtime import Picture, Upscaler, codecs
from upconv.runtime.engine import IDLE_S
from upconv.runtime.resampling import resize

PHOTOGRAPH = Path(__file__).parents[1] / "tests" / "data" / "flower.jpg"
SIDES_PX = (1000, 2000, 5000)


def main() -> None:
    """Measure and print everything, or one case in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--growth", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(*arguments.one)))
    elif arguments.growth:
        print(json.dumps(growth(arguments.growth)))
    else:
        report(arguments.requests)


def report(requests: int) -> None:
    """Measure and print every case, each in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("png", "jpeg"):
            rows = []
            for side in SIDES_PX:
                path = Path(folder, f"{side}.{suffix}")
                path.write_bytes(codecs.encode(photograph(side), suffix)[0])
                rows.append(apart("--one", str(path), str(Path(folder, f"out.{suffix}"))))
                per_px = rows[-1]["processor_s"] / side**2
                ratio = per_px / (rows[0]["processor_s"] / SIDES_PX[0] ** 2)
                print(
                    f"{side}x{side} {suffix}: peak {rows[-1]['peak_mb']:.0f} MB, {rows[-1]['seconds']:.1f} s, "
                    f"{rows[-1]['processor_s']:.1f} s of processor time, {1e6 * per_px:.3f} a megapixel, x{ratio:.2f}"
                )
    grown = apart("--growth", str(requests))
    for kind in ("", "_idle"):
        first, last = grown[f"after_50{kind}_mb"], grown[f"after_all{kind}_mb"]
        print(
            f"resident{kind or '_at_once'} after 50 requests {first:.0f} MB, after {requests} {last:.0f} MB, x{last / first:.2f}"
        )


def apart(*arguments: str) -> dict[str, float]:
    """Run one case of this file in its own process and return its result."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def photograph(side: int) -> Picture:
    """Return a photograph of this size with noise, which makes files large."""
    samples = resize(codecs.read(PHOTOGRAPH).samples, side, side)
    noise = np.random.default_rng(0).integers(-8, 9, (side, side, 1), np.int8)
    noisy: NDArray[np.uint8] = np.empty((side, side, 3), np.uint8)
    for row in range(side):
        noisy[row] = np.clip(samples[row].astype(np.int16) + noise[row], 0, 255)
    return Picture(noisy)


def one(source: Path, destination: Path) -> dict[str, float]:
    """Upscale one file, and return its times and peak memory."""
    with Upscaler(bundled()) as upscaler:
        upscaler.upscale(np.zeros((64, 64, 3), np.uint8))
        clock, processor = time.perf_counter(), time.process_time()
        enlarged = upscaler.run(codecs.read(source))
        codecs.write_atomically(destination, codecs.encode(enlarged, source.suffix[1:])[0])
        seconds = {"seconds": time.perf_counter() - clock, "processor_s": time.process_time() - processor}
    return {**seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def growth(requests: int) -> dict[str, float]:
    """Return the resident memory after 50 requests and after all requests."""
    generator = np.random.default_rng(0)
    names = ("jpeg", "png", "webp", "tiff")
    whole = codecs.read(PHOTOGRAPH).samples

    def request(number: int, height: int, width: int) -> None:
        picture = Picture(whole[:height, :width])
        upscaler.upscale(codecs.encode(picture, names[number % 4])[0], 1.5 if number % 5 == 0 else None)

    shapes = [(int(generator.integers(20, 420)), int(generator.integers(20, 640))) for _ in range(requests)]
    with Upscaler(bundled()) as upscaler, ThreadPoolExecutor(4) as threads:
        result = {}
        for name, numbers in (("after_50", range(50)), ("after_all", range(50, requests))):
            list(threads.map(lambda n: request(n, *shapes[n]), numbers))
            result[f"{name}_mb"] = resident_mb()
            time.sleep(IDLE_S + 1)
            result[f"{name}_idle_mb"] = resident_mb()
        return result


def resident_mb() -> float:
    """Return the resident memory of this process, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
