"""Admission: bounds on the pictures, bytes and predicted seconds that are in work or waiting."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upconv.service.errors import AdmissionFullError, DeadlineError, TooLongError

_HALF_S = 10
"""Seconds of work after which a measurement of the throughput counts half."""
_LONGEST_S = 300


class Throughput:
    """Predicted seconds of work that are completed per second: above one with several cores, anything with wrong predictions.

    Threads may share it.
    """

    def __init__(self, cores: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._work_s, self._time_s = float(cores), 1.0
        self._clock = clock
        self._since = clock()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start the measurement after a time without work."""
        with self._lock:
            self._since = self._clock()

    def advance(self, cost_s: float) -> None:
        """Count finished work of this predicted cost."""
        with self._lock:
            now = self._clock()
            fade = 0.5 ** ((now - self._since) / _HALF_S)
            self._work_s = fade * self._work_s + cost_s
            self._time_s = fade * self._time_s + now - self._since
            self._since = now

    @property
    def per_s(self) -> float:
        """Predicted seconds of work per second."""
        with self._lock:
            return max(self._work_s / max(self._time_s, 1e-3), 1e-3)


class Admission:
    """Counts of the pictures in work or waiting, and the limits on them. Belongs to one event loop, so it needs no lock."""

    def __init__(self, max_pictures: int, max_bytes: int, max_wait_s: float, throughput: Throughput) -> None:
        self.pictures = 0
        self.bytes = 0
        self.cost_s = 0.0
        """Predicted seconds of the work that is running or waiting."""
        self._expected = 0
        """The number of pictures with a predicted cost."""
        self._max_pictures, self._max_bytes, self._max_wait_s = max_pictures, max_bytes, max_wait_s
        self._throughput = throughput

    @contextmanager
    def reading(self) -> Iterator[Ticket]:
        """Yield a ticket for the bytes of a body only."""
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.leave()

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """Yield a ticket for one picture; raises `AdmissionFullError` if all are taken or the predicted wait is too long."""
        self.check()
        with self.reading() as ticket:
            ticket.come_in()
            yield ticket

    def check(self) -> None:
        """Raise `AdmissionFullError` if no further picture may enter now."""
        if self.pictures >= self._max_pictures:
            raise self.full(f"{self.pictures} pictures are in work or waiting")
        if self.wait_s > self._max_wait_s:
            raise self.full(f"about {self.wait_s:.0f} s of work are waiting")

    @property
    def wait_s(self) -> float:
        """Predicted seconds until the present work is done."""
        return self.cost_s / self._throughput.per_s

    @property
    def retry_after_s(self) -> int:
        """Seconds until a ticket should be free: until the wait is short enough, or an average picture is done."""
        one = self.wait_s / max(self.pictures, 1)
        return max(1, min(_LONGEST_S, math.ceil(max(self.wait_s - self._max_wait_s, one))))

    def full(self, why: str) -> AdmissionFullError:
        """Return the error that states when to retry."""
        return AdmissionFullError(f"{why}; try again in {self.retry_after_s} s", self.retry_after_s)

    def expect(self, cost_s: float, limit_s: float) -> None:
        """Count the predicted cost of a picture.

        Raises `TooLongError` if the picture alone takes longer than `limit_s`, `AdmissionFullError` if it would be done too late
        behind the others, and `DeadlineError` if no time is left.
        """
        if limit_s <= 0:
            raise DeadlineError("the time for this request was over before the work began; allow more, or send a smaller file")
        own_s = cost_s / self._throughput.per_s
        if own_s > limit_s:
            raise TooLongError(f"this would take about {own_s:.0f} s, over the {limit_s:g} s allowed; send it to /v1/jobs")
        if self.wait_s + own_s > limit_s:
            raise self.full(f"about {self.wait_s:.0f} s of work are waiting")
        if not self._expected:
            self._throughput.begin()
        self._expected += 1
        self.cost_s += cost_s

    def done(self, cost_s: float) -> None:
        """Remove the cost of a picture."""
        self._expected -= 1
        self.cost_s = max(0.0, self.cost_s - cost_s) if self._expected else 0.0  # removes rounding errors when nothing is left

    def advance(self, cost_s: float) -> None:
        """Measure the throughput from finished work of this predicted cost. Any thread may call it."""
        self._throughput.advance(cost_s)

    def hold(self, bytes: int) -> None:
        """Count further bytes; raises `AdmissionFullError` if they exceed the limit."""
        if self.bytes + bytes > self._max_bytes:
            raise self.full(f"{self.bytes} bytes of pictures are in work or waiting")
        self.bytes += bytes


class Ticket:
    """The share of one request in the limits: its bytes and, once they have arrived, its picture and the predicted cost."""

    def __init__(self, admission: Admission) -> None:
        self.held = 0
        """The counted bytes."""
        self._admission = admission
        self._in = False
        self._cost_s: float | None = None
        self._advanced_s = 0.0
        """The part of the cost that is done, in seconds."""
        self._lock = threading.Lock()

    def come_in(self) -> None:
        """Count the request as a picture."""
        self._in = True
        self._admission.pictures += 1

    def hold(self, bytes: int) -> None:
        """Count `bytes` in total; raises `AdmissionFullError` if they exceed the limit."""
        if bytes > self.held:
            self._admission.hold(bytes - self.held)
            self.held = bytes

    def expect(self, cost_s: float, limit_s: float) -> None:
        """Count the predicted cost of the picture; raises as `Admission.expect`."""
        self._admission.expect(cost_s, limit_s)
        self._cost_s = cost_s

    def advance(self, done: int, total: int) -> None:
        """Record the number of finished tiles, from any thread, so that cancelled work is measured too."""
        with self._lock:
            cost_s = (self._cost_s or 0.0) * done / total - self._advanced_s
            if cost_s > 0:
                self._advanced_s += cost_s
                self._admission.advance(cost_s)

    def done(self) -> None:
        """Stop counting the picture when it is done. Its bytes stay counted."""
        self.advance(1, 1)
        self._end()

    def leave(self) -> None:
        """Stop counting the request."""
        self._end()
        self._admission.bytes -= self.held
        self.held = 0

    def _end(self) -> None:
        if self._in:
            self._admission.pictures -= 1
            self._in = False
        if self._cost_s is not None:
            self._admission.done(self._cost_s)
            self._cost_s = None
