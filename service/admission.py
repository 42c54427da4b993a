"""Admission: limits on the pictures, bytes and predicted seconds that are processed or waiting."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from upconv.runtime import memory
from upconv.service.errors import AdmissionFullError, DeadlineError, TooLongError
from upconv.service.moving import Moving
from upconv.service.throughput import Throughput

_MAX_RETRY_S = 300
_LONG_SHARE = 0.1
"""A long picture counts for the wait of others as this share of the longest wait, because a thread is left for them."""


class Admission:
    """The counts of pictures that are processed or waiting.

    An instance belongs to one event loop, so it needs no lock.
    """

    def __init__(
        self, max_pictures: int, max_bytes: int, max_wait_s: float, throughput: Throughput, max_long: int | None = None
    ) -> None:
        """Start with no picture.

        `max_long` is the number of pictures that alone take longer than `max_wait_s` and are admitted at once. It must be less
        than the number of threads: then such pictures do not refuse others. `None`: no limit, and they do.
        """
        self.pictures = 0
        self.bodies, self.results = Moving(throughput.now), Moving(throughput.now)
        self.cost_s = 0.0
        """Predicted seconds of the pictures that are processed or waiting."""
        self._spared_s = 0.0
        """The part of `cost_s` for which no short picture waits."""
        self._long = 0
        self._expected = 0
        """Number of pictures whose cost is in `cost_s`."""
        self.tickets: set[Ticket] = set()
        """The tickets whose cost is in `cost_s`."""
        self._max_long = max_long
        self._max_pictures, self._max_bytes, self._max_wait_s = max_pictures, max_bytes, max_wait_s
        self._throughput = throughput

    @property
    def bytes(self) -> int:
        """The bytes of bodies that have arrived, of requests that are read, processed or waiting."""
        return self.bodies.bytes

    @contextmanager
    def reading(self) -> Iterator[Ticket]:
        """Provide a ticket that counts only the bytes of a body.

        Raises `OutOfMemoryError` if the process has too little address space left for any work.
        """
        memory.expect_room()
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.release()

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """Provide a ticket for one picture, which `Ticket.admit` counts when its body has arrived.

        Raises `AdmissionFullError` if there are too many pictures or the predicted wait is too long.
        """
        self.check()
        with self.reading() as ticket:
            yield ticket

    def check(self) -> None:
        """Raise `AdmissionFullError` if no further picture can be admitted now."""
        self._record()
        if self.pictures >= self._max_pictures:
            raise self.full(f"{self.pictures} pictures are being processed or waiting")
        if self._turn_s > self._max_wait_s:
            raise self.full(f"about {self._turn_s:.0f} s of work are waiting")

    @property
    def wait_s(self) -> float:
        """The predicted seconds until all admitted pictures are done."""
        return self.cost_s / self._throughput.per_s

    @property
    def _turn_s(self) -> float:
        """The predicted seconds that a short picture waits."""
        return max(0.0, self.cost_s - self._spared_s) / self._throughput.per_s

    @property
    def retry_after_s(self) -> int:
        """The predicted seconds until a ticket is free.

        By then the wait is short enough, or a picture of mean cost is done.
        """
        mean_s = self.wait_s / max(self.pictures, 1)
        return max(1, min(_MAX_RETRY_S, math.ceil(max(self.wait_s - self._max_wait_s, mean_s))))

    def full(self, reason: str) -> AdmissionFullError:
        """Return an error with a reason and the time after which to retry."""
        return AdmissionFullError(f"{reason}; try again in {self.retry_after_s} s", self.retry_after_s)

    def expect(self, cost_s: float, limit_s: float) -> float:
        """Count the predicted cost of an admitted picture, and return the part of it for which no short picture waits.

        Raises `TooLongError` if the picture alone would take longer than `limit_s`, `AdmissionFullError` if it would be done too
        late behind the other pictures, and `DeadlineError` if no time is left.
        """
        if limit_s <= 0:
            raise DeadlineError(
                "the deadline of this request passed before the work began; allow more time, or send a smaller file"
            )
        self._record()
        own_s = cost_s / self._throughput.per_s
        if own_s > limit_s:
            raise TooLongError(
                f"this would take about {own_s:.0f} s, over the {limit_s:.3g} s allowed; send less, or send a picture to /v1/jobs"
            )
        long = self._max_long is not None and own_s > self._max_wait_s
        wait_s = self.wait_s if long else self._turn_s
        if wait_s + own_s > limit_s:
            raise self.full(f"about {wait_s:.0f} s of work are waiting")
        if long and self._long >= (self._max_long or 0):
            raise self.full(f"{self._long} pictures of more than {self._max_wait_s:g} s are being processed")
        if not self._expected:
            self._throughput.begin()
        spared_s = cost_s - _LONG_SHARE * self._max_wait_s * self._throughput.per_s if long else 0.0
        self._count(1, cost_s, spared_s)
        return spared_s

    def done(self, cost_s: float, spared_s: float) -> None:
        """Remove the cost of a picture, and the part that `expect` returned for it."""
        self._count(-1, -cost_s, -spared_s)
        if not self._expected:  # removes rounding errors
            self.cost_s = self._spared_s = 0.0

    def _record(self) -> None:
        """Record the work that has no tiles, such as a long encoding. Otherwise it would look as if nothing were done."""
        for ticket in self.tickets:
            ticket.record()

    def _count(self, pictures: int, cost_s: float, spared_s: float) -> None:
        self._expected += pictures
        self._long += pictures if spared_s else 0
        self.cost_s = max(0.0, self.cost_s + cost_s)
        self._spared_s = max(0.0, self._spared_s + spared_s)

    def advance(self, cost_s: float) -> None:
        """Record completed work in the throughput, by its predicted cost. Any thread may call this."""
        self._throughput.advance(cost_s)

    def now(self) -> float:
        """Return the time of the throughput in seconds, from an arbitrary start."""
        return self._throughput.now()

    def hold(self, bytes: int) -> None:
        """Count further bytes; raise `AdmissionFullError` if they are too many."""
        if not self.bodies.make_room(bytes, self._max_bytes):
            raise self.full(f"{self.bytes} bytes of pictures are being processed or waiting")
        self.bodies.bytes += bytes

    @contextmanager
    def sending(self, bytes: int, stop: Callable[[], None]) -> Iterator[None]:
        """Count the bytes of a result while it is sent. If others need the memory for long, `stop` is called."""
        held = bytes

        def release() -> None:
            nonlocal held
            self.results.bytes -= held
            held = 0

        def let_go() -> None:
            release()
            stop()

        self.results.make_room(bytes, self._max_bytes)
        self.results.bytes += bytes
        with self.results.transfer(let_go):
            try:
                yield
            finally:
                release()


class Ticket:
    """The share of one request in the limits: its bytes and, after admission, its picture and cost."""

    def __init__(self, admission: Admission) -> None:
        self.held = 0
        """Bytes that are counted for this request."""
        self._admission = admission
        self._admitted = False
        self._cost_s: float | None = None
        """The predicted cost. `None`: `expect` has not counted it, or it is no longer counted."""
        self._spared_s: float
        self._tile_share: float
        self._advanced_s = 0.0
        """Predicted seconds of the completed work."""
        self._timed_since: float | None = None
        """The time up to which work without tiles is recorded. `None`: such work has not begun."""
        self._lock = threading.Lock()

    def admit(self) -> None:
        """Count the request as a picture, now that its body has arrived. Raises `AdmissionFullError` if there are too many."""
        self._admission.check()
        self._admitted = True
        self._admission.pictures += 1

    def hold(self, bytes: int) -> None:
        """Raise the counted bytes to `bytes`; raise `AdmissionFullError` if there is no room."""
        if bytes > self.held:
            self._admission.hold(bytes - self.held)
            self.held = bytes

    @contextmanager
    def arriving(self, stop: Callable[[], None]) -> Iterator[None]:
        """Mark the body as arriving. If others need its memory for long, its bytes are released and `stop` is called."""

        def let_go() -> None:
            self._release_bytes()
            stop()

        with self._admission.bodies.transfer(let_go):
            yield

    def sending(self, bytes: int, stop: Callable[[], None]) -> AbstractContextManager[None]:
        """Count the bytes of the result instead of those of the body, while the result is sent."""
        self._release_bytes()
        return self._admission.sending(bytes, stop)

    def expect(self, cost_s: float, limit_s: float, tile_share: float = 1.0) -> None:
        """Count the predicted cost of the picture; raises the errors of `Admission.expect`.

        `tile_share` is the part of the work that is done when the last tile is completed. Decoding counts to the other part, which
        is recorded by its duration.
        """
        self._spared_s = self._admission.expect(cost_s, limit_s)
        self._cost_s, self._tile_share = cost_s, tile_share
        self._admission.tickets.add(self)

    def begin(self) -> None:
        """State that the work begins. Any thread may call this."""
        if not self._tile_share:
            self._timed_since = self._admission.now()

    def advance(self, done: int, total: int) -> None:
        """Record the number of completed tiles. Any thread may call this.

        The tiles of pictures that are cancelled later also count for the throughput.
        """
        cost_s = self._cost_s
        if cost_s is not None:
            self._advance_to(self._tile_share * cost_s * done / total)
            if done == total:
                self._timed_since = self._admission.now()

    def record(self) -> None:
        """Record work without tiles by its duration, up to its prediction. Beyond it, time passes without work."""
        if self._timed_since is not None and self._cost_s is not None:
            since, self._timed_since = self._timed_since, self._admission.now()
            self._advance_to(min(self._cost_s, self._advanced_s + self._timed_since - since))
            self._admission.advance(0.0)

    def done(self) -> None:
        """Stop counting the picture, because it is finished; its bytes stay counted until the result is sent."""
        self.record()
        self._advance_to(self._cost_s or 0.0)
        self._end()

    def release(self) -> None:
        """Stop counting the request. Work that is abandoned counts for the throughput as far as it went."""
        self.record()
        self._end()
        self._release_bytes()

    def _release_bytes(self) -> None:
        self._admission.bodies.bytes -= self.held
        self.held = 0

    def _advance_to(self, completed_s: float) -> None:
        with self._lock:
            cost_s = completed_s - self._advanced_s
            if cost_s > 0:
                self._advanced_s += cost_s
                self._admission.advance(cost_s)

    def _end(self) -> None:
        if self._admitted:
            self._admission.pictures -= 1
            self._admitted = False
        if self._cost_s is not None:
            self._admission.tickets.discard(self)
            self._admission.done(self._cost_s, self._spared_s)
            self._cost_s = None
