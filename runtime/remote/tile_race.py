"""The way of one tile through the fleet, until an endpoint has computed it.

A tile that fails is sent to another endpoint. A tile that is overdue is sent to a second one, too, and the first answer counts:
the output does not depend on the endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ModelError, NoEndpointError
from upconv.runtime.remote.endpoint import Endpoint
from upconv.runtime.remote.faults import AnswerFault, BusyFault, EndpointFault
from upconv.runtime.remote.fleet import Fleet, TileClaim
from upconv.runtime.remote.remote_options import RemoteOptions
from upconv.runtime.session import Tensor

AT_ONCE = 2
"""The most endpoints that compute the same tile at the same time."""

MOST_REFUSALS = 3
"""The number of wrong answers after which the tile is at fault, or the model."""

MOST_FAILURES = 8
"""The number of failures of any kind after which a tile is given up: it may be what ends the servers."""

Start = Callable[[Callable[[], None]], object]
"""Runs a function in another thread."""


@dataclass(eq=False)
class Attempt:
    """One endpoint that computes a tile."""

    endpoint: Endpoint
    started: float
    cancellation: Cancellation = field(default_factory=Cancellation)
    overdue: bool = False
    """True if a second endpoint was asked since."""


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt: an output or an error."""

    attempt: Attempt
    output: Tensor | None = None
    error: BaseException | None = None


_CANCEL = object()


class TileRace:
    """The attempts to compute one tile. Only the thread that calls `result` changes it."""

    def __init__(self, fleet: Fleet, tensor: Tensor, options: RemoteOptions, start: Start) -> None:
        self._fleet, self._tensor, self._options, self._start = fleet, tensor, options, start
        self._px = tensor.shape[0] * tensor.shape[2] * tensor.shape[3]
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._attempts: list[Attempt] = []
        self._claim: TileClaim | None = None
        self._claimed = 0.0
        self._refused: list[Endpoint] = []
        self._failures, self._busy_since = 0, 0.0

    def result(self, cancellation: Cancellation) -> Tensor:
        """Return the output of the tile.

        Raises `Cancelled` at once after a cancellation, `NoEndpointError` if no endpoint computes it in time, and `ModelError` if
        several endpoints give no valid output.
        """
        with cancellation.calling(lambda: self._inbox.put(_CANCEL)):
            try:
                self._wish(urgent=False)
                while True:
                    event = self._next()
                    if event is _CANCEL:
                        raise Cancelled("the tile was cancelled")
                    if isinstance(event, TileClaim):
                        self._begin(event)
                    elif isinstance(event, Outcome) and (output := self._take(event)) is not None:
                        return output
            finally:
                self._end()

    def _next(self) -> Any:
        """Return the next event; `None` after something that time brought."""
        now = time.monotonic()
        times = [self._limit(attempt) for attempt in self._attempts]
        if self._claim is not None:
            times.append(self._claimed + self._options.patience_s)
        try:
            return self._inbox.get(timeout=max(0.0, min(times, default=now) - now))
        except Empty:
            self._look_at_clock(time.monotonic())
            return None

    def _limit(self, attempt: Attempt) -> float:
        """Return when something is to be done about an attempt that has not ended."""
        overdue = attempt.started + attempt.endpoint.overdue_s(self._px)
        most = attempt.started + self._options.tile_timeout_s
        return most if attempt.overdue else min(overdue, most)

    def _look_at_clock(self, now: float) -> None:
        for attempt in [each for each in self._attempts if self._limit(each) <= now]:
            waited_s = now - attempt.started
            if waited_s >= self._options.tile_timeout_s:
                self._fail(attempt, EndpointFault(f"does not answer within {self._options.tile_timeout_s:g} s"))
            else:
                attempt.overdue = True
                self._fleet.overdue(attempt.endpoint, attempt.started, waited_s)
                if len(self._attempts) < AT_ONCE and self._claim is None:
                    self._wish(urgent=True)
        if self._claim is not None and self._claimed + self._options.patience_s <= now:
            self._look_at_claim(self._claim, now)

    def _look_at_claim(self, claim: TileClaim, now: float) -> None:
        """Go on waiting for an endpoint that is busy. If none is up, give up, or leave it at the running attempt."""
        if self._attempts or self._fleet.can_serve(claim):
            self._claimed = now
        else:
            raise NoEndpointError(f"no endpoint computes tiles: {self._fleet.reasons()}; start one, or try again later")

    def _wish(self, *, urgent: bool) -> None:
        running = frozenset(attempt.endpoint for attempt in self._attempts)
        self._claim, self._claimed = TileClaim(self._px, self._inbox, running, frozenset(self._refused)), time.monotonic()
        self._fleet.claim(self._claim, urgent=urgent)

    def _begin(self, claim: TileClaim) -> None:
        if claim is not self._claim or claim.endpoint is None or claim.endpoint.known is None:
            return  # it was withdrawn after it had been granted
        self._claim = None
        attempt, tile = Attempt(claim.endpoint, time.monotonic()), claim.endpoint.known.tile
        self._attempts.append(attempt)

        def compute() -> None:
            try:
                output = attempt.endpoint.client.compute(self._tensor, tile, attempt.cancellation)
            except BaseException as error:
                self._inbox.put(Outcome(attempt, error=error))
            else:
                self._inbox.put(Outcome(attempt, output))

        self._start(compute)

    def _take(self, outcome: Outcome) -> Tensor | None:
        """Return the output of an attempt that has ended, or see to it that there will be another attempt."""
        attempt, error = outcome.attempt, outcome.error
        if attempt not in self._attempts:
            return None  # it was given up before
        if outcome.output is not None:
            self._attempts.remove(attempt)
            self._fleet.answered(attempt.endpoint, self._px, time.monotonic() - attempt.started)
            return outcome.output
        if not isinstance(error, EndpointFault):
            assert error is not None
            raise error
        self._fail(attempt, error)
        return None

    def _fail(self, attempt: Attempt, fault: EndpointFault) -> None:
        """Count a failed attempt, and wish for another endpoint, unless another attempt may still answer in time."""
        attempt.cancellation.cancel()
        self._attempts.remove(attempt)
        self._fleet.failed(attempt.endpoint, self._px, fault)
        self._count(f"{attempt.endpoint.address.url} {fault}", attempt.endpoint, fault)
        self._withdraw()  # it excludes the endpoint that has failed, which may be the only one that returns
        if all(each.overdue for each in self._attempts):
            self._wish(urgent=True)

    def _count(self, what: str, endpoint: Endpoint, fault: EndpointFault) -> None:
        """Raise the error of a tile that was tried often enough. `what` is the last failure."""
        now = time.monotonic()
        if isinstance(fault, BusyFault):
            self._busy_since = self._busy_since or now
            if now - self._busy_since > self._options.patience_s:
                raise NoEndpointError(f"the endpoints for tiles are busy: {what}; add one, or try again later")
            return
        self._failures += 1
        if isinstance(fault, AnswerFault):
            self._refused.append(endpoint)
            if len(self._refused) >= MOST_REFUSALS:
                raise ModelError(f"a tile has no valid output after {MOST_REFUSALS} attempts: {what}; check the model there")
        if self._failures >= MOST_FAILURES:
            raise ModelError(f"a tile failed {MOST_FAILURES} times at the endpoints: {what}; check whether it ends the servers")

    def _withdraw(self) -> None:
        if self._claim is not None:
            self._fleet.withdraw(self._claim)
            self._claim = None

    def _end(self) -> None:
        """End what is still running: the slower attempt, or all after a cancellation or an error."""
        self._withdraw()
        for attempt in self._attempts:
            attempt.cancellation.cancel()
            self._fleet.abandoned(attempt.endpoint, self._px)
        self._attempts = []
