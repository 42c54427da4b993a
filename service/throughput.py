"""The throughput of the service, measured while it works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_HALF_LIFE_S = 10
"""Seconds of work after which a measurement counts half."""


class Throughput:
    """The predicted seconds of work that the service completes per second.

    The value is about the number of cores if the predictions are right, and corrects them if not. Threads may share an
    instance.
    """

    def __init__(self, cores: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._work_s, self._time_s = float(cores), 1.0
        self._clock = clock
        self._since = clock()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start measuring, when work begins after an idle time."""
        with self._lock:
            self._since = self._clock()

    def advance(self, cost_s: float) -> None:
        """Record completed work, by its predicted cost in seconds."""
        with self._lock:
            now = self._clock()
            decay = 0.5 ** ((now - self._since) / _HALF_LIFE_S)
            self._work_s = decay * self._work_s + cost_s
            self._time_s = decay * self._time_s + now - self._since
            self._since = now

    def now(self) -> float:
        """Return the time in seconds, from an arbitrary start."""
        return self._clock()

    @property
    def per_s(self) -> float:
        """Predicted seconds of work per second, above 0."""
        with self._lock:
            return max(self._work_s / max(self._time_s, 1e-3), 1e-3)
