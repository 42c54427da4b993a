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
        """Work starts after a time without any."""
        with self._lock:
            self._since = self._clock()

    def advance(self, cost_s: float) -> None:
        """Work of this predicted cost is done."""
        with self._lock:
            now = self._clock()
            fade = 0.5 ** ((now - self._since) / _HALF_S)
            self._work_s = fade * self._work_s + cost_s
            self._time_s = fade * self._time_s + now - self._since
            self._since = now

    @property
    def per_s(self) -> float:
        """Predicted seconds a second."""
        with self._lock:
            return max(self._work_s / max(self._time_s, 1e-3), 1e-3)


class Admission:
    """Counts pictures in work or waiting. Belongs to one event loop, so it needs no lock."""

    def __init__(self, max_pictures: int, max_bytes: int, max_wait_s: float, throughput: Throughput) -> None:
        self.pictures = 0
        self.bytes = 0
        self.cost_s = 0.0
        """Predicted seconds of what is in work or waiting."""
        self._expected = 0
        """How many pictures these are of."""
        self._max_pictures, self._max_bytes, self._max_wait_s = max_pictures, max_bytes, max_wait_s
        self._throughput = throughput

    @contextmanager
    def reading(self) -> Iterator[Ticket]:
        """Give a ticket for the bytes of a body alone."""
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.leave()

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """Give a ticket for one picture; raises `AdmissionFullError` if all are taken or the predicted wait is too long."""
        self.check()
        with self.reading() as ticket:
            ticket.come_in()
            yield ticket

    def check(self) -> None:
        """Raise `AdmissionFullError` where no picture may come in now."""
        if self.pictures >= self._max_pictures:
            raise self.full(f"{self.pictures} pictures are in work or waiting")
        if self.wait_s > self._max_wait_s:
            raise self.full(f"about {self.wait_s:.0f} s of work are waiting")

    @property
    def wait_s(self) -> float:
        """When what is here should be done, in seconds from now."""
        return self.cost_s / self._throughput.per_s

    @property
    def retry_after_s(self) -> int:
        """Return the seconds until a ticket should be free: until the wait is short enough or a mean picture is done."""
        one = self.wait_s / max(self.pictures, 1)
        return max(1, min(_LONGEST_S, math.ceil(max(self.wait_s - self._max_wait_s, one))))

    def full(self, why: str) -> AdmissionFullError:
        """The error that says when to come back."""
        return AdmissionFullError(f"{why}; try again in {self.retry_after_s} s", self.retry_after_s)

    def expect(self, cost_s: float, limit_s: float) -> None:
        """Count the predicted cost of a picture that has come in.

        Raises `TooLongError` for one that alone would take longer than `limit_s`, `AdmissionFullError` for one that would be done too late
        behind the others, and `DeadlineError` where no time is left.
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
        """Take the cost back."""
        self._expected -= 1
        self.cost_s = max(0.0, self.cost_s - cost_s) if self._expected else 0.0  # what rounding left over

    def advance(self, cost_s: float) -> None:
        """Learn from work of this predicted cost that is done, from any thread."""
        self._throughput.advance(cost_s)

    def hold(self, bytes: int) -> None:
        """Count further bytes; raises `AdmissionFullError` where they are too many."""
        if self.bytes + bytes > self._max_bytes:
            raise self.full(f"{self.bytes} bytes of pictures are in work or waiting")
        self.bytes += bytes


class Ticket:
    """The share of one request in the limits: its bytes and, once it has come in, its picture and the predicted cost of that."""

    def __init__(self, admission: Admission) -> None:
        self.held = 0
        """Bytes counted for it."""
        self._admission = admission
        self._in = False
        self._cost_s: float | None = None
        self._advanced_s = 0.0
        """What of the cost is done."""
        self._lock = threading.Lock()

    def come_in(self) -> None:
        """Count as a picture."""
        self._in = True
        self._admission.pictures += 1

    def hold(self, bytes: int) -> None:
        """Count `bytes` in all; raises `AdmissionFullError` where there is no room for them."""
        if bytes > self.held:
            self._admission.hold(bytes - self.held)
            self.held = bytes

    def expect(self, cost_s: float, limit_s: float) -> None:
        """Count what the picture is predicted to cost; raises as `Admission.expect`."""
        self._admission.expect(cost_s, limit_s)
        self._cost_s = cost_s

    def advance(self, done: int, total: int) -> None:
        """Record how many tiles are done, from any thread: work that is cancelled later is a measurement of the throughput too."""
        with self._lock:
            cost_s = (self._cost_s or 0.0) * done / total - self._advanced_s
            if cost_s > 0:
                self._advanced_s += cost_s
                self._admission.advance(cost_s)

    def done(self) -> None:
        """Finished: count no longer as a picture; bytes stay counted."""
        self.advance(1, 1)
        self._end()

    def leave(self) -> None:
        """Count no longer at all."""
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
