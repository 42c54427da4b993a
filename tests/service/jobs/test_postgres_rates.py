from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.service.postgres import PostgresServer

from upconv.service.errors import StorageError
from upconv.service.jobs.postgres_database import PostgresDatabase
from upconv.service.jobs.postgres_rates import PostgresRates
from upconv.service.shared_rates import RateClaim, RateExchange, RateGrant

SLOW = 1 / 3600
"""A rate at which no token comes during a test."""


@asynccontextmanager
async def exchanges(url: str, count: int) -> AsyncIterator[Sequence[RateExchange]]:
    """Connections of as many replicas."""
    databases = [PostgresDatabase(url) for _ in range(count)]
    opened = [PostgresRates(database).connected() for database in databases]
    made = await asyncio.gather(*(each.__aenter__() for each in opened))
    try:
        yield made
    finally:
        for each in opened:
            await each.__aexit__(None, None, None)
        for database in databases:
            database.close()


def claim(client: str = "key ann", need: int = 1, **fields: Any) -> RateClaim:
    return RateClaim(client, **{"per_s": SLOW, "burst": 10, "need": need, **fields})


def test_a_bucket_is_emptied_once_by_all_replicas(postgres: PostgresServer) -> None:
    async def main() -> None:
        async with exchanges(postgres.url(), 4) as replicas:

            async def take(exchange: RateExchange) -> int:
                given = 0
                for number in range(20):
                    clients = ["host a", "host b", "host c"]
                    grants = await exchange([claim(client, burst=50) for client in (clients, clients[::-1])[number % 2]])
                    given += sum(grant.tokens for grant in grants.values())
                return given

            assert sum(await asyncio.gather(*map(take, replicas))) == 3 * 50

    asyncio.run(main())


def test_tokens_come_and_go_back(postgres: PostgresServer) -> None:
    async def main() -> None:
        async with exchanges(postgres.url(), 1) as [exchange]:

            async def grant(**fields: Any) -> RateGrant:
                return (await exchange([claim(**fields)]))["key ann"]

            async def given(**fields: Any) -> int:
                return (await grant(**fields)).tokens

            assert await exchange([]) == {}
            first = await grant(need=10)
            assert first.tokens == 10
            assert 3590 < first.wait_s <= 3600
            assert await given(need=1) == 0
            assert await given(need=0, back=3) == 0
            assert await given(need=5) == 3
            assert await given(need=0, back=1000) == 0
            assert await given(need=12) == 10, "no more than the bucket holds"
            quicker = await grant(per_s=100)
            assert quicker.tokens == 0
            assert quicker.wait_s < 0.02, "the old rate does not count"
            await asyncio.sleep(0.02)
            assert await given(per_s=100) == 1
            assert (await exchange([claim("other", 2, ahead=5, burst=32)]))["other"].tokens == 2 + 3, "a tenth of what is left"
            assert (await exchange([claim("other", 1, ahead=1, burst=32)]))["other"].tokens == 1 + 1

    asyncio.run(main())


def test_full_buckets_are_deleted(postgres: PostgresServer) -> None:
    url = postgres.url()

    async def main() -> None:
        async with exchanges(url, 1) as [exchange]:
            await exchange([claim("slow"), claim("quick", per_s=1e9)])
            await exchange([])

    asyncio.run(main())
    assert postgres.query("SELECT client FROM upconv_rates", url) == [("slow",)]


def test_a_connection_that_is_lost(postgres: PostgresServer) -> None:
    async def main() -> None:
        async with PostgresRates(PostgresDatabase(postgres.url())).connected() as exchange:
            await exchange([claim()])
            postgres.query(f"SELECT pg_terminate_backend({exchange._connection.info.backend_pid})")
            await exchange([claim()])

    with pytest.raises(StorageError, match=r"cannot be used at the moment: .*terminat"):
        asyncio.run(main())
