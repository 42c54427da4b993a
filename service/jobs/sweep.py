"""Deleting the jobs that expired, those whose client went away, and files that belong to no job."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import current_time

from upconv.service.jobs.runner import JobRunner

INTERVAL_S = 5.0
STRAYS_S = 600.0
"""Seconds between two looks for strays in files that replicas share, because each look lists all of them."""


async def sweep(runner: JobRunner, ttl_s: float, succeeded: Callable[[], object]) -> None:
    """Sweep every few seconds until cancelled; call `succeeded` after each time."""
    store = runner.storage.store
    look_at = current_time()
    runner.leases.restart()  # while the store could not be read, nobody could renew a lease
    while True:
        for job in await runner.read(store.expired, store.now()):
            await runner.delete(job.id)
        for job in runner.leases.lapsed(await runner.read(store.leased)):
            await runner.delete(job.id)
        if not store.shared or current_time() >= look_at:
            await runner.write(runner.storage.remove_strays, ttl_s)
            look_at = current_time() + STRAYS_S
        succeeded()
        await anyio.sleep(min(INTERVAL_S, ttl_s))
