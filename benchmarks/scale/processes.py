"""Pictures per second of one, two and four processes of the service, each on a core of its own as long as there are cores."""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
from benchmarks.service.process import Service, photograph, running

from upconv.runtime.cores import available_cores

COUNTS = (1, 2, 4)
CLIENTS_EACH = 3
SIDE = 512
MODEL = "photo-s-x2"
TURN_S = 8.0


def processes(rounds: int) -> dict[str, Any]:
    """Measure each count in turns, and return pictures per second and processor seconds per picture."""
    body, cores = photograph(SIDE, SIDE), sorted(os.sched_getaffinity(0))
    per_s: dict[int, list[float]] = {count: [] for count in COUNTS}
    cpu_s: dict[int, list[float]] = {count: [] for count in COUNTS}
    with ExitStack() as stack:
        services = [stack.enter_context(running("--workers", "1", model=MODEL)) for _ in range(max(COUNTS))]
        for service, core in zip(services, itertools.cycle(cores), strict=False):
            _pin(service.pid, core)
        for number, count in itertools.product(range(rounds + 1), COUNTS):
            pictures, seconds, spent = _turn(services[:count], body)
            if number:
                per_s[count].append(pictures / seconds)
                cpu_s[count].append(spent / pictures)
    size = len(body)
    return {
        "cores": available_cores(),
        "model": MODEL,
        "side": SIDE,
        "body_bytes": size,
        "answer_bytes": _answer_bytes(body),
        "per_s": {str(count): statistics.median(values) for count, values in per_s.items()},
        "cpu_s": {str(count): statistics.median(values) for count, values in cpu_s.items()},
        "speed_up": {
            str(count): statistics.median(many / one for many, one in zip(per_s[count], per_s[1], strict=True))
            for count in COUNTS
        },
    }


def _pin(pid: int, core: int) -> None:
    """Keep all threads of a process, and those that they start, on one core."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


def _turn(services: list[Service], body: bytes) -> tuple[int, float, float]:
    """Return pictures, seconds and processor seconds of a turn in which each service has `CLIENTS_EACH` clients."""
    until, done, lock = time.perf_counter() + TURN_S, [0], threading.Lock()

    def client(service: Service) -> None:
        with httpx.Client(base_url=service.url, timeout=120) as connection:
            while time.perf_counter() < until:
                connection.post("/v1/upscale?format=jpeg", content=body).raise_for_status()
                with lock:
                    done[0] += 1

    started, before = time.perf_counter(), sum(service.cpu_s for service in services)
    with ThreadPoolExecutor(CLIENTS_EACH * len(services)) as pool:
        list(pool.map(client, services * CLIENTS_EACH))
    return done[0], time.perf_counter() - started, sum(service.cpu_s for service in services) - before


def _answer_bytes(body: bytes) -> int:
    with running(model=MODEL) as service:
        return len(httpx.post(f"{service.url}/v1/upscale?format=jpeg", content=body, timeout=120).content)
