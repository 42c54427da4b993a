"""Request rates of several replicas in one event loop, with a store that a test can slow down and stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from upconv.service.errors import RateLimitError, StorageError
from upconv.service.rates import Rates
from upconv.service.shared_rates import AHEAD, BUSY, KEPT_S, RateClaim, RateExchange, RateGrant, SharedRates


class Store:
    """Buckets that never fill up again."""

    def __init__(self, tokens: int) -> None:
        self.tokens = Counter[str]()
        self.full = tokens
        self.claims: list[RateClaim] = []
        self.exchanges = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.gone = False

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[RateExchange]:
        if self.gone:
            raise StorageError("it is gone", 1)
        yield self.exchange

    async def exchange(self, claims: Sequence[RateClaim]) -> Mapping[str, RateGrant]:
        await self.answering.wait()
        if self.gone:
            raise StorageError("it is gone", 1)
        self.exchanges += bool(claims)
        self.claims += claims
        grants = {}
        for claim in claims:
            left = self.tokens.setdefault(claim.client, self.full) + claim.back
            given = min(claim.need, left)
            given += min(claim.ahead, (left - given) // AHEAD)
            self.tokens[claim.client] = left - given
            grants[claim.client] = RateGrant(given, 5.0)
        return grants


class Replica:
    """One of the replicas, with its task."""

    def __init__(self, store: Store, clock: Callable[[], float], burst: int = 1000) -> None:
        self.alone = 0
        self.failures: list[str] = []
        self.rates = SharedRates(Rates(0.001, burst, clock), store, self.count, clock)
        self.task = asyncio.create_task(self.rates.run(lambda: None, lambda error: self.failures.append(str(error)), now=True))

    def count(self) -> None:
        self.alone += 1

    async def admitted(self, client: str = "a", times: int = 1) -> int:
        """Send requests at once, and return how many were admitted."""
        results = await asyncio.gather(*(self.rates.admit(client) for _ in range(times)), return_exceptions=True)
        assert all(result is None or isinstance(result, RateLimitError) for result in results), results
        return sum(result is None for result in results)


Test = Callable[[Callable[..., Replica], list[float]], Awaitable[None]]


def run(test: Test) -> None:
    """Run a test in an event loop, with replicas that end after it and a clock that it may set."""

    async def main() -> None:
        now, replicas = [0.0], list[Replica]()

        def replica(store: Store, **options: Any) -> Replica:
            replicas.append(Replica(store, lambda: now[0], **options))
            return replicas[-1]

        try:
            await test(replica, now)
        finally:
            for each in replicas:
                each.task.cancel()
                with suppress(asyncio.CancelledError):
                    await each.task

    asyncio.run(main())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("requests", "refused"), [(5, 0), (6, 1)])
def test_two_replicas_admit_as_many_as_one_may(requests: int, refused: int) -> None:
    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(10)
        pair = replica(store), replica(store)
        await until(lambda: all(each.rates.shared for each in pair))
        assert sum([await each.admitted(times=5) for each in pair]) == 10
        assert await pair[0].admitted(times=requests - 5) == requests - 5 - refused
        assert await pair[0].admitted("b") == 1, "each client has a bucket of its own"
        assert pair[0].alone == pair[1].alone == 0

    run(test)


def test_requests_that_come_together_are_counted_together() -> None:
    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(1000)
        one = replica(store)
        await until(lambda: one.rates.shared)
        assert await one.admitted(times=BUSY - 1) == BUSY - 1
        assert store.exchanges == 1
        assert [(claim.client, claim.need) for claim in store.claims] == [("a", BUSY - 1)]

    run(test)


def test_a_refused_client_costs_no_exchange_until_a_token_may_be_there() -> None:
    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(1)
        one = replica(store)
        await until(lambda: one.rates.shared)
        assert await one.admitted(times=2) == 1
        with pytest.raises(RateLimitError, match="try again in 5 s"):
            await one.rates.admit("a")
        assert store.exchanges == 1
        now[0], store.tokens["a"] = 5.0, 1
        assert await one.admitted() == 1

    run(test)


def test_a_client_with_many_requests_gets_tokens_in_advance_which_go_back() -> None:
    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(1000)
        one = replica(store)
        await until(lambda: one.rates.shared)
        assert await one.admitted(times=10 * AHEAD) == 10 * AHEAD
        before = store.exchanges
        for _ in range(10):
            assert await one.admitted() == 1
        assert store.exchanges == before, "none of them asked the store"
        assert await one.admitted() == 1
        assert store.exchanges == before + 1
        assert one.rates._clients["a"].ahead == 11
        now[0] = 2 * KEPT_S
        one.rates._wake.set()
        await until(lambda: one.rates._clients["a"].ahead == 0)
        await until(lambda: store.tokens["a"] == 1000 - 111)

    run(test)


def test_nobody_waits_for_a_silent_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.service.shared_rates.WAIT_S", 0.05)

    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(0)
        one = replica(store, burst=8)
        await until(lambda: one.rates.shared)
        store.answering.clear()
        assert await one.admitted(times=3) == 3, "they are counted here after a while"
        assert not one.rates.shared
        async with asyncio.timeout(0.04):
            assert await one.admitted(times=6) == 5, "and these at once, within the limit of one replica"
        assert one.alone == 8
        store.answering.set()
        await until(lambda: one.rates.shared)
        assert await one.admitted("b") == 0, "the store counts again"

    run(test)


def test_a_store_that_is_gone_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.service.shared_rates.RETRY_S", 0.01)

    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(0)
        one = replica(store)
        await until(lambda: one.rates.shared)
        store.gone = True
        assert await one.admitted(times=3) == 3
        await until(lambda: len(one.failures) > 1)
        assert set(one.failures) == {"it is gone"}
        assert await one.admitted() == 1
        store.gone = False
        await until(lambda: one.rates.shared)
        assert await one.admitted() == 0

    run(test)


def test_without_a_rate_the_store_is_not_asked() -> None:
    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        store = Store(0)
        rates = SharedRates(Rates(None, 5), store, lambda: None)
        task = asyncio.create_task(rates.run(lambda: None, lambda error: None, now=False))
        await rates.admit("a")
        await asyncio.sleep(0.01)
        assert not rates.shared
        await rates.admit("a", own_per_s=0.1)  # counted here, while the connection is made
        await until(lambda: rates.shared)
        with pytest.raises(RateLimitError):
            await rates.admit("a", own_per_s=0.1)
        task.cancel()

    run(test)


def test_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.service.shared_rates.MAX_CLIENTS", 2)

    async def test(replica: Callable[..., Replica], now: list[float]) -> None:
        one = replica(Store(5))
        await until(lambda: one.rates.shared)
        for client in ("a", "b", "c"):
            assert await one.admitted(client) == 1
        assert set(one.rates._clients) == {"b", "c"}

    run(test)
