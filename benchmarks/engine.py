"""The overhead and the fairness of the engine: `python benchmarks/engine.py [MODEL.onnx] [--pictures DIR] [--rounds 5]`.

Throughput: 32 photographs of mixed sizes, JPEG to JPEG, through one `Upscaler` from 4 threads. The baseline is a loop of
`session.run` on whole pictures with the same number of threads. Its tensors are prepared, so it neither decodes nor encodes.
Both run in turns. The result is the median of the ratios of pixels per second.

Latency: a 256x256 JPEG, alone and during the computation of 25 megapixels, in turns. The bound is its time alone plus two tiles.

Cancellation: the time from the cancellation of 25 megapixels until the next picture is done, against the time of two tiles.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from upconv.models import bundled
from upconv.runtime import Picture, Upscaler, codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import SessionOptions
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled
from upconv.runtime.resampling import resize
from upconv.runtime.session import open_session
from upconv.runtime.tiled_picture import samples_to_tensor

PICTURES, THREADS = 32, 4
SIDES_PX = (200, 320, 480, 640, 800)
"""Longer sides of the photographs, used in turn."""
TESTS = Path(__file__).parents[1] / "tests" / "data"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=bundled())
    parser.add_argument("--pictures", type=Path, default=TESTS, help="a folder of photographs")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    photographs = list(mixed(sorted(p for p in arguments.pictures.rglob("*") if p.suffix in (".jpg", ".png"))))
    print(f"{arguments.model.name}, {available_cores()} cores, {arguments.rounds} rounds")
    with Upscaler(arguments.model) as upscaler:
        throughput(upscaler, arguments.model, photographs, arguments.rounds)
        fairness(upscaler, photographs[0], 4 * arguments.rounds)


def mixed(paths: list[Path]) -> Iterator[Picture]:
    """Yield `PICTURES` photographs of mixed sizes."""
    for number in range(PICTURES):
        picture = codecs.read(paths[number % len(paths)])
        scale = SIDES_PX[number % len(SIDES_PX)] / max(picture.width, picture.height)
        yield picture.with_samples(resize(picture.color, round(picture.width * scale), round(picture.height * scale)))


def throughput(upscaler: Upscaler, path: Path, photographs: list[Picture], rounds: int) -> None:
    """Measure pixels per second against the loop of `session.run`."""
    files = [codecs.encode(picture, "jpeg")[0] for picture in photographs]
    pixels = upscaler.model.contract.input
    assert pixels is not None
    tensors = [samples_to_tensor(picture.samples, pixels)[None] for picture in photographs]
    # The memory pattern makes the loop faster, because its sizes are the same in every round.
    bare = open_session(path, threads=available_cores(), settings=SessionOptions(memory_pattern=True))
    name = bare.get_inputs()[0].name
    ratios, processor = [], []
    with ThreadPoolExecutor(THREADS) as threads:
        for turn in range(rounds + 1):
            loop = timed(lambda: [bare.run(None, {name: tensor}) for tensor in tensors])
            served = timed(lambda: list(threads.map(upscaler.upscale, files)))
            if turn:
                ratios.append(loop[0] / served[0])
                processor.append(loop[1] / served[1])
    megapixels = sum(picture.width * picture.height for picture in photographs) / 1e6
    print(
        f"{PICTURES} photographs, {megapixels:.1f} megapixels, JPEG to JPEG from {THREADS} threads, against a loop of session.run:"
    )
    print(f"  pixels per second {statistics.median(ratios):.3f} ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"  pixels per second of processor time {statistics.median(processor):.3f}")


def fairness(upscaler: Upscaler, photograph: Picture, rounds: int) -> None:
    """Measure the latency of a small picture during a large one, and the time until a cancelled one stops."""
    small = codecs.encode(photograph.with_samples(resize(photograph.color, 256, 256)), "jpeg")[0]
    large = photograph.with_samples(resize(photograph.color, 5000, 5000))
    alone, beside, tiles, freed, passed = [], [], [], [], []
    for _ in range(rounds):
        alone.append(timed(lambda: upscaler.upscale(small))[0])
        with in_work(upscaler, large) as (cancellation, times):
            before = len(times)
            beside.append(timed(lambda: upscaler.upscale(small))[0])
            passed.append(len(times) - before)
            cancellation.cancel()
            freed.append(timed(lambda: upscaler.upscale(np.zeros((16, 16, 3), np.uint8)))[0])
        # Before the small picture. The mean, because workers that end together make gaps of zero and of a whole tile.
        tiles.append(statistics.fmean(np.diff(times[:before])) * available_cores())
    tile_s = statistics.median(tiles)
    bound = statistics.median(alone) + 2 * tile_s
    print(
        f"256x256 alone {1e3 * statistics.median(alone):.0f} ms, during 25 megapixels {1e3 * statistics.median(beside):.0f} ms;"
    )
    print(
        f"  alone plus two tiles of {1e3 * tile_s:.0f} ms: {1e3 * bound:.0f} ms; ratio {statistics.median(beside) / bound:.2f}"
    )
    print(f"  meanwhile {available_cores()} workers compute {statistics.median(passed):g} tiles of the large picture")
    print(
        f"25 megapixels cancelled: the next picture is done after {1e3 * statistics.median(freed):.0f} ms; "
        f"two tiles: {2e3 * tile_s:.0f} ms; ratio {statistics.median(freed) / (2 * tile_s):.2f}"
    )


@contextmanager
def in_work(upscaler: Upscaler, picture: Picture) -> Iterator[tuple[Cancellation, list[float]]]:
    """Upscale a picture during the block; yield its cancellation and the times at which its tiles are done."""
    cancellation, times, begun = Cancellation(), list[float](), threading.Event()

    def on_tile(done: int, total: int) -> None:
        times.append(time.perf_counter())
        if done == 4 * available_cores():
            begun.set()

    def run() -> None:
        with suppress(Cancelled):
            upscaler.run(picture, on_tile=on_tile, cancellation=cancellation)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    try:
        yield cancellation, times
    finally:
        cancellation.cancel()
        thread.join()


def timed(run: object) -> tuple[float, float]:
    """Return the seconds of wall-clock time and of processor time."""
    assert callable(run)
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


if __name__ == "__main__":
    main()
