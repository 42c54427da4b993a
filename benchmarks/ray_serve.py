"""What Ray Serve adds to a tile: the same tiles by a local executor and by a tile replica, in turns.

    python benchmarks/ray_serve.py [MODEL] [--rounds N]

Needs the extra `ray`. Prints the medians, the median of the differences, and the seconds of a picture with two processes and with two threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from upconv.cluster.ray_connection import connected_ray
from upconv.cluster.ray_executor import RayExecutor, TileTerms
from upconv.cluster.tile_replica import TileOrder, TileReplica
from upconv.models import bundled
from upconv.runtime import Upscaler, open_model
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.executors import LocalExecutor

PROCESSES = 2
SIDE_PX = 2500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="upsample-s-x2")
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    path = Path(bundled(arguments.model))
    with connected_ray("this benchmark", cores=PROCESSES + 1):
        from ray import serve

        from upconv.cluster.handle_transport import HandleTransport

        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(TileReplica, name="tiles").options(num_replicas=PROCESSES, max_ongoing_requests=2)
        transport = HandleTransport(serve.run(deployment.bind(TileOrder(path)), route_prefix=None))
        one_tile(path, RayExecutor(transport, TileTerms(slots=1)), arguments.rounds)
        one_picture(path, RayExecutor(transport, TileTerms(slots=2 * PROCESSES)))
        serve.shutdown()


def one_tile(path: Path, there: RayExecutor, rounds: int) -> None:
    """Print the milliseconds of one tile at a time."""
    model = open_model(path)
    here = LocalExecutor(model, 1)
    there.start(model)
    tile = np.random.default_rng(0).random((1, 3, TILE_PX, TILE_PX), np.float32)
    assert np.array_equal(here.run(tile, Cancellation()), there.run(tile, Cancellation()))
    pairs = [
        (seconds(lambda: here.run(tile, Cancellation())), seconds(lambda: there.run(tile, Cancellation())))
        for _ in range(rounds)
    ]
    local, ray = (1000 * statistics.median(each) for each in zip(*pairs, strict=True))
    added = 1000 * statistics.median(after - before for before, after in pairs)
    print(f"{path.stem}, {TILE_PX}x{TILE_PX} pixels: here {local:.1f} ms, on Ray {ray:.1f} ms, {added:+.1f} ms", flush=True)


def one_picture(path: Path, there: RayExecutor) -> None:
    """Print the seconds of one picture with the same number of processes and of threads."""
    picture = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    with Upscaler(path, workers=PROCESSES, tile_px=TILE_PX) as local, Upscaler(path, executor=there) as remote:
        assert np.array_equal(local.upscale(picture), remote.upscale(picture))
        pairs = [(seconds(lambda: local.upscale(picture)), seconds(lambda: remote.upscale(picture))) for _ in range(3)]
    for before, after in pairs:
        print(f"{SIDE_PX}x{SIDE_PX} pixels: {PROCESSES} threads {before:.1f} s, {PROCESSES} processes on Ray {after:.1f} s")


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
