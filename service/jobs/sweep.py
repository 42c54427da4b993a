"""Deleting the jobs that expired, those whose client went away, and files that belong to no job."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

from upconv.service.jobs.runner import JobRunner

INTERVAL_S = 5.0


async def sweep(runner: JobRunner, ttl_s: float, succeeded: Callable[[], object]) -> None:
    """Sweep every few seconds until cancelled; call `succeeded` after each time."""
    while True:
        for job in await runner.read(runner.folder.store.expired, time.time()):
            await runner.delete(job.id)
        for job in runner.leases.lapsed(await runner.read(runner.folder.store.leased)):
            await runner.delete(job.id)
        await runner.write(runner.folder.remove_strays, ttl_s)
        succeeded()
        await anyio.sleep(min(INTERVAL_S, ttl_s))
