"""Latency of a normal client and of health checks while thousands of connections are taken up."""

from __future__ import annotations

import http.client
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
from benchmarks.service.process import ROOT, percentile, photograph, print_facts, running

HALF_OPEN, BODIES, READERS = 2000, 200, 200
_FACTOR = 1.5
_HEALTH_MS = 50.0
_PAUSE_S = 0.05
_SETTLE_S = 2.0


def connections(rounds: int = 2, seconds: float = 30) -> bool:
    """Measure in turns: without and with the crowd. Return true if the latencies are as promised.

    A turn is longer than the service keeps half-open connections, so that it includes their end and the new ones.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    small = photograph(64, 48)
    latencies: dict[bool, list[float]] = {False: [], True: []}
    health: dict[bool, list[float]] = {False: [], True: []}
    with running() as service:
        port = urlsplit(service.url).port or 0
        path = _result(service.url)
        _measure(20, lambda: _upscale(port, small))
        for _ in range(rounds):
            for crowded in (False, True):
                with _crowd(port, path) if crowded else _nobody():
                    until = time.monotonic() + seconds
                    while time.monotonic() < until:
                        time.sleep(_PAUSE_S)
                        latencies[crowded] += _measure(1, lambda: _upscale(port, small))
                        health[crowded] += _measure(1, lambda: _get(port, "/healthz"))
                    open_now = _gauge(port, "upconv_connections")
                print_facts(
                    crowded=crowded,
                    connections=open_now,
                    p50_ms=percentile(latencies[crowded], 0.5),
                    p99_ms=percentile(latencies[crowded], 0.99),
                    health_p99_ms=percentile(health[crowded], 0.99),
                    rss_mb=service.rss_mb,
                )
    ratio = percentile(latencies[True], 0.99) / percentile(latencies[False], 0.99)
    health_ms = percentile(health[True], 0.99)
    print_facts(p99_ratio=ratio, health_p99_ms=health_ms, holds=ratio <= _FACTOR and health_ms <= _HEALTH_MS)
    return ratio <= _FACTOR and health_ms <= _HEALTH_MS


def _result(url: str) -> str:
    """Return the path of a large result, which a slow reader reads for longer than it may."""
    with httpx.Client(base_url=url) as client:
        job = client.post("/v1/jobs?format=png&scale=4", content=photograph(800, 600)).raise_for_status().headers["location"]
        while client.get(job).json()["state"] != "done":
            time.sleep(0.2)
    return f"{job}/result"


@contextmanager
def _crowd(port: int, path: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.service.crowd", str(port), path, *map(str, (HALF_OPEN, BODIES, READERS))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            time.sleep(_SETTLE_S)
            yield
            print(process.communicate("end\n")[0].strip(), flush=True)
        finally:
            process.kill()


@contextmanager
def _nobody() -> Iterator[None]:
    time.sleep(_SETTLE_S)
    yield


def _measure(count: int, ask: Callable[[], bytes]) -> list[float]:
    """Return the latencies of some requests, each on a connection of its own, in milliseconds."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        ask()
        found.append((time.perf_counter() - started) * 1000)
    return found


def _upscale(port: int, picture: bytes) -> bytes:
    return _ask(port, "POST", "/v1/upscale", picture)


def _get(port: int, path: str) -> bytes:
    return _ask(port, "GET", path)


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path} returned {answer.status}: {data[:200]!r}")
        return data
    finally:
        connection.close()


def _gauge(port: int, name: str) -> float:
    lines = _get(port, "/metrics").decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
