"""Leases: jobs that are deleted soon after their client went away, for example with the tab of a browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from upconv.service.jobs.job import Job


class Leases:
    """The last sign of life of the client of each leased job.

    It is kept in memory: after a restart of the service, each lease starts anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._renewed: dict[str, float] = {}

    def renew(self, job: Job) -> None:
        """Note that the client asked for its job just now."""
        if job.lease_s is not None:
            self._renewed[job.id] = self._clock()

    def lapsed(self, leased: Iterable[Job]) -> list[Job]:
        """Return those of all leased jobs whose client was silent for longer than the lease."""
        now, jobs = self._clock(), list(leased)
        self._renewed = {job.id: self._renewed.get(job.id, now) for job in jobs}
        return [job for job in jobs if job.lease_s is not None and now - self._renewed[job.id] > job.lease_s]
