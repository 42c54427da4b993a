"""The endpoints of one model: which of them gets the next tile, which gets none, and when it is tried again.

A tile goes to the endpoint that is predicted to finish first. An endpoint that fails is ejected, and inspected again after
pauses that grow. Tiles that find no free endpoint wait in the order in which they came; those that were sent before go first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, first_line
from upconv.runtime.remote.endpoint import FIRST_PAUSE_S, LONGEST_PAUSE_S, Endpoint, EndpointReport, EndpointState
from upconv.runtime.remote.faults import BusyFault, EndpointFault, RefusedFault
from upconv.runtime.remote.inspection import Inspection

OnChange = Callable[[EndpointReport], None]
"""A function that is called after an endpoint was admitted, ejected or refused."""


@dataclass(eq=False)
class TileClaim:
    """The wish of a tile for an endpoint. The fleet puts the claim into the inbox when it is granted."""

    px: int
    inbox: SimpleQueue[Any]
    never: frozenset[Endpoint] = frozenset()
    """Endpoints that hold the tile already."""
    rather_not: frozenset[Endpoint] = frozenset()
    """Endpoints that get the tile only if no other is up."""
    endpoint: Endpoint | None = field(default=None)
    """The endpoint; `None` while the claim waits."""


class Fleet:
    """The endpoints of one model. Any number of threads may use it at the same time."""

    def __init__(self, endpoints: Sequence[Endpoint], inspection: Inspection, on_change: OnChange | None = None) -> None:
        self._endpoints, self._inspection = tuple(endpoints), inspection
        self._tell = on_change or (lambda report: None)
        self._waiting: deque[TileClaim] = deque()
        self._changed = threading.Condition()
        self._closing = Cancellation()
        self._closed = threading.Event()

    def connect(self, patience_s: float) -> bool:
        """Inspect all endpoints, and return whether one is up.

        If none is, but one may come back, this waits for `patience_s` at most.
        """
        with ThreadPoolExecutor(len(self._endpoints), "upconv-endpoint") as pool:
            list(pool.map(self._first, self._endpoints))
        with self._changed:
            self._changed.wait_for(lambda: self.any_up or not self.any_hope, patience_s)
        return self.any_up

    @property
    def any_up(self) -> bool:
        """True if an endpoint gets tiles."""
        return any(endpoint.up for endpoint in self._endpoints)

    @property
    def any_hope(self) -> bool:
        """True if an endpoint is up or may be so soon, because it did not serve another function when it was last tried."""
        return any(endpoint.state != "refused" for endpoint in self._endpoints)

    @property
    def slots(self) -> int:
        """The number of tiles that all endpoints together can hold."""
        return sum(endpoint.most for endpoint in self._endpoints)

    @property
    def count(self) -> int:
        """The number of endpoints."""
        return len(self._endpoints)

    def reports(self) -> tuple[EndpointReport, ...]:
        """Return the states of all endpoints."""
        with self._changed:
            return tuple(endpoint.report() for endpoint in self._endpoints)

    def reasons(self) -> str:
        """Return why no endpoint gets tiles, as one phrase."""
        return "; ".join(f"{each.url} {each.reason or 'is up again'}" for each in self.reports())

    def claim(self, claim: TileClaim, *, urgent: bool) -> None:
        """Wait for an endpoint. An urgent claim goes before all others."""
        with self._changed:
            if urgent:
                self._waiting.appendleft(claim)
            else:
                self._waiting.append(claim)
            self._grant()
            if claim.endpoint is None and not self.any_up:
                self._changed.notify_all()

    def withdraw(self, claim: TileClaim) -> None:
        """End the wait of a claim, or give back its endpoint."""
        with self._changed:
            if claim.endpoint is None:
                self._waiting.remove(claim)
                return
            claim.endpoint.give_back(claim.px)
            self._grant()

    def can_serve(self, claim: TileClaim) -> bool:
        """Return whether an endpoint is up that the claim may get, now or later."""
        with self._changed:
            return any(endpoint.up and endpoint not in claim.never for endpoint in self._endpoints)

    def answered(self, endpoint: Endpoint, px: int, seconds: float) -> None:
        """Count a tile that an endpoint computed. One that was ejected because it was silent is admitted again."""
        with self._changed:
            endpoint.give_back(px)
            endpoint.answered(px, seconds)
            if endpoint.silent:
                self._admit(endpoint)
            self._grant()

    def failed(self, endpoint: Endpoint, px: int, fault: EndpointFault) -> None:
        """Count a tile that failed. The endpoint is ejected, unless it is busy with other tiles."""
        with self._changed:
            endpoint.give_back(px)
            endpoint.failures += 1
            endpoint.retries += 1
            busy = isinstance(fault, BusyFault)
            if busy:
                endpoint.window = max(1.0, float(endpoint.outstanding))  # evidently it holds no more than these
            if not (busy and endpoint.outstanding):
                self._eject(endpoint, str(fault), fault.retry_after_s if isinstance(fault, BusyFault) else 0.0)
            self._grant()

    def abandoned(self, endpoint: Endpoint, px: int) -> None:
        """Count a tile whose output is not wanted any more."""
        with self._changed:
            endpoint.give_back(px)
            self._grant()

    def overdue(self, endpoint: Endpoint, since: float, waited_s: float) -> None:
        """Count a tile that is overdue. The endpoint is ejected if it has not answered any tile since then."""
        with self._changed:
            endpoint.retries += 1
            if endpoint.last_answer <= since:
                self._eject(endpoint, f"has not answered for {waited_s:.1f} s")
                endpoint.silent = not endpoint.up

    def close(self) -> None:
        """End all inspections and close the connections."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._closing.cancel()
        for endpoint in self._endpoints:
            endpoint.client.close()

    def _grant(self) -> None:
        for claim in tuple(self._waiting):
            if not any(endpoint.free for endpoint in self._endpoints):
                return
            chosen = self._best(claim)
            if chosen is not None:
                chosen.take(claim.px)
                claim.endpoint = chosen
                self._waiting.remove(claim)
                claim.inbox.put(claim)

    def _best(self, claim: TileClaim) -> Endpoint | None:
        allowed = [endpoint for endpoint in self._endpoints if endpoint.up and endpoint not in claim.never]
        preferred = [endpoint for endpoint in allowed if endpoint not in claim.rather_not] or allowed
        free = [endpoint for endpoint in preferred if endpoint.free]
        return min(free, key=lambda endpoint: (endpoint.finish_s(claim.px), endpoint.outstanding_px), default=None)

    def _first(self, endpoint: Endpoint) -> None:
        if not self._inspect(endpoint):
            self._bring_back_later(endpoint, endpoint.pause_s)

    def _inspect(self, endpoint: Endpoint) -> bool:
        """Admit an endpoint if it computes the function; return whether it is up."""
        try:
            found = self._inspection.inspect(endpoint.client, self._closing)
        except EndpointFault as fault:
            with self._changed:
                if not endpoint.up:
                    self._note(endpoint, "refused" if isinstance(fault, RefusedFault) else "ejected", str(fault))
                return endpoint.up
        with self._changed:
            endpoint.known = found
            self._admit(endpoint)
            self._grant()
        return True

    def _on_change(self, report: EndpointReport) -> None:
        with suppress(Exception):  # such as a closed standard error: the tiles do not depend on it
            self._tell(report)

    def _admit(self, endpoint: Endpoint) -> None:
        if not endpoint.up and endpoint.known is not None:
            endpoint.admit(endpoint.known)
            self._changed.notify_all()
            self._on_change(endpoint.report())

    def _eject(self, endpoint: Endpoint, reason: str, pause_s: float = 0.0) -> None:
        if endpoint.up:
            endpoint.eject("ejected", reason)
            self._changed.notify_all()
            self._on_change(endpoint.report())
            self._bring_back_later(endpoint, max(endpoint.pause_s, min(pause_s, LONGEST_PAUSE_S)))

    def _note(self, endpoint: Endpoint, state: EndpointState, reason: str) -> None:
        changed = (endpoint.state, endpoint.reason) != (state, reason)
        endpoint.state, endpoint.reason = state, reason
        self._changed.notify_all()
        if changed:
            self._on_change(endpoint.report())

    def _bring_back_later(self, endpoint: Endpoint, pause_s: float) -> None:
        name = f"upconv-probe {endpoint.address.host}"
        threading.Thread(target=self._bring_back, args=(endpoint, pause_s), name=name, daemon=True).start()

    def _pause(self, pause_s: float) -> bool:
        """Wait until an endpoint is to be inspected again; return whether the fleet is still open.

        If no endpoint is up and tiles wait, the first pause is long enough: one that fails at times is better than none.
        """
        self._closed.wait(FIRST_PAUSE_S)
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed.is_set() or (bool(self._waiting) and not self.any_up), pause_s - FIRST_PAUSE_S
            )
        return not self._closed.is_set()

    def _bring_back(self, endpoint: Endpoint, pause_s: float) -> None:
        """Inspect an endpoint again and again, until it is up."""
        while self._pause(pause_s) and not endpoint.up:
            try:
                if self._inspect(endpoint):
                    return
            except Cancelled:
                return
            except Exception as error:  # such as a lack of files: the endpoint is tried again
                with self._changed, suppress(Exception):
                    self._note(endpoint, "ejected", f"cannot be inspected: {first_line(error)}")
            pause_s = max(FIRST_PAUSE_S, min(2 * pause_s, LONGEST_PAUSE_S))
