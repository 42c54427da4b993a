"""A job that is being computed: its progress, and the signal that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from upconv.runtime.cancellation import Cancellation
from upconv.service.jobs.job import JobProgress

_NOTIFY_S = 0.1


@dataclass
class RunningJob:
    """A job that is being computed."""

    claim: int = 0
    """The number of its start."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    progress: JobProgress = field(default_factory=JobProgress)
    late: bool = False
    """True if the job took longer than allowed."""

    def expire(self) -> None:
        """Stop the job because it takes too long."""
        self.late = True
        self.cancellation.cancel()


class ProgressUpdater:
    """Receives every tile from the engine's threads, and calls `notify` at most ten times a second."""

    def __init__(self, running: RunningJob, notify: Callable[[], object]) -> None:
        self._running, self._notify = running, notify
        self._notified_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Note the progress of the job."""
        self._running.progress = JobProgress(done=done, total=total)
        now = time.monotonic()
        if done == total or now - self._notified_at > _NOTIFY_S:
            self._notified_at = now
            self._notify()
