"""Leases: jobs that are deleted soon after their client went away, for example with the tab of a browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from upconv.service.jobs.job import Job


class Leases:
    """The last sign of life of the client of each leased job.

    It is kept in memory: after a restart of the service, each lease starts anew. Replicas tell one another by the time
    `renewed` of a job: when it changes, the client has asked another replica. As this takes a while, they wait `slack_s`
    seconds longer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, slack_s: float = 0.0) -> None:
        self._clock, self._slack_s = clock, slack_s
        self._renewed: dict[str, _Renewal] = {}

    def restart(self) -> None:
        """Start each lease anew."""
        self._renewed.clear()

    def renew(self, job: Job) -> bool:
        """Note that the client asked for its job just now; return true if it is time to tell other replicas."""
        if job.lease_s is None:
            return False
        now = self._clock()
        before = self._renewed.get(job.id, _Renewal(now, job.renewed))
        due = before.told_at is None or now - before.told_at >= job.lease_s / 4
        self._renewed[job.id] = _Renewal(now, before.seen, now if due else before.told_at)
        return due

    def lapsed(self, leased: Iterable[Job]) -> list[Job]:
        """Return those of all leased jobs whose client was silent for longer than the lease."""
        now, jobs = self._clock(), list(leased)
        self._renewed = {job.id: self._current(job, now) for job in jobs}
        return [job for job in jobs if job.lease_s is not None and self._silent_s(job, now) > job.lease_s + self._slack_s]

    def _silent_s(self, job: Job, now: float) -> float:
        return now - self._renewed[job.id].at

    def _current(self, job: Job, now: float) -> _Renewal:
        known = self._renewed.get(job.id)
        if known is None or known.seen != job.renewed:
            return _Renewal(now, job.renewed, known.told_at if known else None)
        return known


@dataclass(frozen=True)
class _Renewal:
    at: float
    seen: float
    """The time `renewed` of the job when it was last read."""
    told_at: float | None = None
