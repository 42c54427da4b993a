"""Request rates over all replicas: token buckets in a store that replicas share.

The requests that wait for the store are counted by one exchange, and those that come meanwhile by the next one. A client that
sends many gets tokens in advance, so that most of its requests wait for nothing. Without the store, each replica counts alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from upconv.service.rates import MAX_CLIENTS, Rates, too_many

WAIT_S = 0.25
"""The most seconds that a request waits for the store. Then requests wait for it no more until it answers."""

RETRY_S = 2.0
"""Seconds until the next attempt to reach a store that failed."""

IDLE_S = 5.0
"""Seconds after which the store is asked whether it is there, if no request waits."""

BUSY = 20
"""Requests of a client within a second, here, from which on it gets tokens in advance."""

AHEAD = 10
"""It gets one in advance for this many requests, and at most one of this many that are left."""

KEPT_S = 1.0
"""Seconds after which tokens that were given in advance go back."""

SHORTEST_S = 1e-3
"""The least seconds that a refused client waits."""


@dataclass(frozen=True)
class RateClaim:
    """The wish for tokens of one client."""

    client: str
    per_s: float
    burst: int
    need: int
    """Tokens for requests that wait."""
    ahead: int = 0
    """Tokens that it may get in advance."""
    back: int = 0
    """Tokens that go back."""


@dataclass(frozen=True)
class RateGrant:
    """The tokens that a client got."""

    tokens: int
    wait_s: float
    """Seconds until there is one more."""


RateExchange = Callable[[Sequence[RateClaim]], Awaitable[Mapping[str, RateGrant]]]
"""Takes tokens for several clients in one step, and returns what each one got."""


class RateStore(Protocol):
    """The token buckets that replicas share."""

    def connected(self) -> AbstractAsyncContextManager[RateExchange]:
        """A connection inside the context. It and its exchanges raise `StorageError`."""


@dataclass
class _Client:
    """What is known here of one client."""

    ahead: int = 0
    """Tokens that it has in advance."""
    ahead_until: float = 0.0
    per_s: float = 0.0
    empty_until: float = 0.0
    """The time until which the shared bucket has no token."""
    second: int = 0
    used: int = 0
    """Requests within this second, and within the one before."""
    used_before: int = 0

    def use(self, now: float) -> None:
        """Count a request."""
        second = int(now)
        if second != self.second:
            self.used_before = self.used if second == self.second + 1 else 0
            self.second, self.used = second, 0
        self.used += 1

    @property
    def ahead_wanted(self) -> int:
        """The tokens that it should have in advance."""
        busy = max(self.used, self.used_before)
        return busy // AHEAD if busy >= BUSY else 0


@dataclass
class _Waiting:
    """The requests of one client that wait for the store."""

    per_s: float
    answers: list[asyncio.Future[float]] = field(default_factory=list)


class SharedRates:
    """The rates of clients over all replicas. An instance belongs to one event loop.

    `local` counts as well: it refuses what this replica alone would refuse, and counts alone while the store is gone.
    """

    def __init__(
        self, local: Rates, store: RateStore, counted_locally: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._local, self._store, self._clock = local, store, clock
        self._count_locally = counted_locally
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._waiting: dict[str, _Waiting] = {}
        self._asked: dict[str, _Waiting] = {}
        self._wake = asyncio.Event()
        self.shared = False
        """True if requests are counted over all replicas at the moment."""

    async def admit(self, client: str, own_per_s: float | None = None) -> None:
        """Count a request of `client`; raise `RateLimitError` if it sent too many to all replicas together."""
        per_s = self._local.per_s(own_per_s)
        if per_s is None:
            return
        self._local.take(client, own_per_s)
        wait_s = await self._wait_s(client, per_s)
        if wait_s:
            self._local.give_back(client)
            raise too_many(per_s, wait_s)

    async def run(self, succeeded: Callable[[], object], failed: Callable[[Exception], object], *, now: bool) -> None:
        """Exchange with the store until cancelled. Unless `now`, it is not connected before the first request with a rate."""
        if not now:
            await self._wake.wait()
        while True:
            try:
                async with self._store.connected() as exchange:
                    await self._serve(exchange, succeeded)
            except Exception as error:
                failed(error)
            finally:
                self.shared = False
                self._answer({**self._asked, **self._waiting}, {})
                self._asked, self._waiting = {}, {}
            await asyncio.sleep(RETRY_S)

    async def _serve(self, exchange: RateExchange, succeeded: Callable[[], object]) -> None:
        while True:
            self._asked, self._waiting = self._waiting, {}
            self._wake.clear()
            grants = await exchange(self._claims(self._clock()))
            self.shared = True
            succeeded()
            asked, self._asked = self._asked, {}
            self._answer(asked, grants)
            pause_s = KEPT_S if any(each.ahead for each in self._clients.values()) else IDLE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _wait_s(self, client: str, per_s: float) -> float:
        """Count a request; return 0 if it is admitted, and otherwise the seconds until the next token."""
        now = self._clock()
        known = self._known(client, per_s)
        known.use(now)
        if known.ahead and now < known.ahead_until:
            known.ahead -= 1
            return 0.0
        if now < known.empty_until:
            return known.empty_until - now
        if not self.shared:
            self._wake.set()
            self._count_locally()
            return 0.0
        return await self._ask(client, per_s)

    async def _ask(self, client: str, per_s: float) -> float:
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, _Waiting(per_s)).answers.append(answer)
        self._wake.set()
        try:
            async with asyncio.timeout(WAIT_S):
                return await answer
        except TimeoutError:  # the token may be taken later, which is right: the request is served
            self.shared = False
            self._count_locally()
            return 0.0

    def _known(self, client: str, per_s: float) -> _Client:
        known = self._clients.setdefault(client, _Client())
        known.per_s = per_s
        self._clients.move_to_end(client)
        if len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)
        return known

    def _claims(self, now: float) -> list[RateClaim]:
        """Return what the waiting requests need, and what goes back because it was not used in time."""
        claims = []
        for client, waiting in self._asked.items():
            known = self._known(client, waiting.per_s)
            claims.append(
                RateClaim(client, waiting.per_s, self._local.burst, len(waiting.answers), known.ahead_wanted, known.ahead)
            )
            known.ahead = 0
        for client, known in self._clients.items():
            if known.ahead and now >= known.ahead_until:
                claims.append(RateClaim(client, known.per_s, self._local.burst, 0, back=known.ahead))
                known.ahead = 0
        return claims

    def _answer(self, asked: Mapping[str, _Waiting], grants: Mapping[str, RateGrant]) -> None:
        """Answer the requests in the order in which they came. Those without a grant are counted by this replica alone."""
        for client, waiting in asked.items():
            grant = grants.get(client)
            for number, answer in enumerate(waiting.answers):
                if not answer.done():
                    answer.set_result(0.0 if grant is None or number < grant.tokens else max(grant.wait_s, SHORTEST_S))
                    if grant is None:
                        self._count_locally()
            if grant is not None:
                self._note(self._known(client, waiting.per_s), grant, len(waiting.answers))

    def _note(self, known: _Client, grant: RateGrant, need: int) -> None:
        """Keep the tokens that were given in advance, or how long the bucket is empty."""
        now = self._clock()
        known.ahead, known.ahead_until = max(0, grant.tokens - need), now + KEPT_S
        known.empty_until = now + grant.wait_s if grant.tokens < need else 0.0
