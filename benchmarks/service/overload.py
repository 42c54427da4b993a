"""Open-loop load of ten times the capacity: admitted requests are fast, and refused ones get a Retry-After header."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
from benchmarks.service.process import Service, percentile, photograph, print_facts, running


@dataclass
class _Answers:
    statuses: Counter[str] = field(default_factory=Counter)
    admitted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    without_retry_after: int = 0


def overload(seconds: float, factor: float, *, side: int = 512) -> bool:
    """Return true if the p99 of admitted requests is at most three times their p50, and that of health at most 50 ms."""
    body = photograph(side, side)
    with running() as service:
        capacity = asyncio.run(_capacity(service, body))
        before = service.rss_mb
        seen, memory = asyncio.run(_load(service, body, capacity * factor, seconds))
        recovered_s = _recovery(service, body, 2 / capacity)
    p50, p99 = percentile(seen.admitted_s, 0.5), percentile(seen.admitted_s, 0.99)
    health = percentile(seen.health_s, 0.99) * 1000
    print_facts(capacity_per_s=capacity, offered_per_s=capacity * factor, seconds=seconds, answers=dict(seen.statuses))
    print_facts(admitted_p50_s=p50, admitted_p99_s=p99, ratio=p99 / p50, refused_p99_s=percentile(seen.refused_s, 0.99))
    print_facts(
        healthz_p50_ms=percentile(seen.health_s, 0.5) * 1000,
        healthz_p99_ms=health,
        without_retry_after=seen.without_retry_after,
    )
    print_facts(rss_mb_before=before, rss_mb=[round(value) for value in memory], recovered_s=recovered_s)
    return p99 <= 3 * p50 and health <= 50 and set(seen.statuses) <= {"200", "429", "503"} and not seen.without_retry_after


async def _capacity(service: Service, body: bytes, clients: int = 4, seconds: float = 5) -> float:
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        await client.post("/v1/upscale", content=body)
        until, done = time.perf_counter() + seconds, 0

        async def one() -> None:
            nonlocal done
            while time.perf_counter() < until:
                (await client.post("/v1/upscale", content=body)).raise_for_status()
                done += 1

        await asyncio.gather(*(one() for _ in range(clients)))
    return done / seconds


async def _load(service: Service, body: bytes, per_s: float, seconds: float) -> tuple[_Answers, list[float]]:
    seen, memory, tasks = _Answers(), [], set[asyncio.Task[None]]()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
        health = asyncio.create_task(_watch(service, seen, seconds))
        started = time.perf_counter()
        sent = 0
        while (elapsed := time.perf_counter() - started) < seconds:
            while sent < elapsed * per_s:
                tasks.add(asyncio.create_task(_one(client, body, seen)))
                sent += 1
                if sent % max(1, int(per_s * seconds / 8)) == 0:
                    memory.append(service.rss_mb)
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)
        await health
    return seen, memory


async def _one(client: httpx.AsyncClient, body: bytes, seen: _Answers) -> None:
    started = time.perf_counter()
    try:
        answer = await client.post("/v1/upscale", content=body)
    except httpx.HTTPError as error:
        seen.statuses[type(error).__name__] += 1
        return
    took = time.perf_counter() - started
    seen.statuses[str(answer.status_code)] += 1
    (seen.admitted_s if answer.status_code == 200 else seen.refused_s).append(took)
    if answer.status_code in (429, 503) and "retry-after" not in answer.headers:
        seen.without_retry_after += 1


async def _watch(service: Service, seen: _Answers, seconds: float) -> None:
    """Probe health from a separate process, so that delays of the load generator are not measured."""
    process = await asyncio.create_subprocess_exec(
        *_prober(service.url, seconds), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    seen.health_s.extend(float(line) for line in output.split())


def _prober(url: str, seconds: float) -> list[str]:
    import sys

    program = (
        "import http.client, time, sys\n"
        f"connection = http.client.HTTPConnection('{url.removeprefix('http://')}', timeout=10)\n"
        f"until = time.perf_counter() + {seconds}\n"
        "while time.perf_counter() < until:\n"
        "    started = time.perf_counter()\n"
        "    connection.request('GET', '/healthz')\n"
        "    connection.getresponse().read()\n"
        "    print(time.perf_counter() - started)\n"
        "    time.sleep(0.05)\n"
    )
    return [sys.executable, "-c", program]


def _recovery(service: Service, body: bytes, quick_s: float) -> float:
    """Return the seconds after the load until an answer takes at most `quick_s` seconds."""
    started = time.perf_counter()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        while True:
            sent = time.perf_counter()
            answer = client.post("/v1/upscale", content=body)
            if answer.status_code == 200 and time.perf_counter() - sent <= quick_s:
                return time.perf_counter() - started
