"""What it costs to compute a tile elsewhere: over the Open Inference Protocol, and on Ray."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from benchmarks.remote_tiles import endpoint, url_of
from benchmarks.service.process import cpu_s

from upconv.models import bundled
from upconv.runtime import open_model
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.executors import Executor, LocalExecutor
from upconv.runtime.remote import RemoteExecutor, RemoteOptions

MODEL = "upsample-s-x2"
TILES_A_ROUND = 20
WIRES = ("fp32", "uint8")


def tiles(rounds: int) -> dict[str, Any]:
    """Compute one tile at a time here and at an endpoint, in turns. Return milliseconds per tile, and what the wire adds."""
    path = bundled(MODEL)
    model = open_model(path)
    with ExitStack() as stack:
        process = stack.enter_context(endpoint(path, 1))
        url = url_of(process)
        here: dict[str, Executor] = {"here": LocalExecutor(model, 1)}
        there: dict[str, Executor] = {wire: RemoteExecutor([url], RemoteOptions(wire=wire)) for wire in WIRES}  # type: ignore[arg-type]
        for executor in there.values():
            executor.start(model)
            stack.callback(executor.close)
        return _turns({**here, **there}, rounds, process.pid)


def tiles_on_ray(rounds: int) -> dict[str, Any]:
    """Compute one tile at a time here and by a tile replica of Ray Serve, in turns. Return milliseconds per tile."""
    from upconv.cluster.ray_connection import connected_ray
    from upconv.cluster.ray_executor import RayExecutor, TileTerms
    from upconv.cluster.tile_replica import TileOrder, TileReplica

    path = bundled(MODEL)
    model = open_model(path)
    with connected_ray("this benchmark", cores=2):
        from ray import serve

        from upconv.cluster.handle_transport import HandleTransport

        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(TileReplica, name="tiles").options(num_replicas=1, max_ongoing_requests=2)
        transport = HandleTransport(serve.run(deployment.bind(TileOrder(path)), route_prefix=None))
        there = RayExecutor(transport, TileTerms(slots=1))
        there.start(model)
        result = _turns({"here": LocalExecutor(model, 1), "ray": there}, rounds)
        serve.shutdown()
        return result


def _turns(executors: dict[str, Executor], rounds: int, endpoint_pid: int | None = None) -> dict[str, Any]:
    tile = np.random.default_rng(0).random((1, 3, TILE_PX, TILE_PX), np.float32)
    measured: dict[str, list[_Cost]] = {name: [] for name in executors}
    for number in range(rounds + 1):
        for name, executor in executors.items():
            before = _Cost.so_far(endpoint_pid)
            for _ in range(TILES_A_ROUND):
                executor.run(tile, Cancellation())
            if number:
                measured[name].append(_Cost.so_far(endpoint_pid).since(before))
    here = measured.pop("here")
    pairs = {name: list(zip(here, costs, strict=True)) for name, costs in measured.items()}
    result = {
        "model": MODEL,
        "tile_px": TILE_PX,
        "here_ms": statistics.median(cost.wall_ms for cost in here),
        "added_ms": {name: statistics.median(b.wall_ms - a.wall_ms for a, b in each) for name, each in pairs.items()},
    }
    if endpoint_pid is not None:
        result["client_cpu_ms"] = {name: statistics.median(b.own_ms for _, b in each) for name, each in pairs.items()}
        result["endpoint_added_cpu_ms"] = {
            name: statistics.median(b.endpoint_ms - a.own_ms for a, b in each) for name, each in pairs.items()
        }
    return result


@dataclass(frozen=True)
class _Cost:
    """Milliseconds per tile: by the clock, and of the processor here and at the endpoint."""

    wall_ms: float
    own_ms: float
    endpoint_ms: float

    @classmethod
    def so_far(cls, endpoint_pid: int | None) -> Self:
        there_s = 0.0 if endpoint_pid is None else cpu_s(endpoint_pid)
        return cls(*(1000 * each for each in (time.perf_counter(), cpu_s(os.getpid()), there_s)))

    def since(self, before: Self) -> Self:
        return type(self)(
            (self.wall_ms - before.wall_ms) / TILES_A_ROUND,
            (self.own_ms - before.own_ms) / TILES_A_ROUND,
            (self.endpoint_ms - before.endpoint_ms) / TILES_A_ROUND,
        )
