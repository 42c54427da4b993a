"""The token buckets of request rates in the PostgreSQL database of jobs, which replicas share.

A bucket is one number: the time at which it is full again. So a row whose time has passed is not needed, and is deleted. The
table is not in the log of the database: after a crash of the server, all buckets are full.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from psycopg import AsyncConnection

from upconv.service.jobs.postgres_database import PATIENCE_S, PostgresDatabase
from upconv.service.shared_rates import AHEAD, RateClaim, RateGrant

SWEEP_S = 60.0
"""Seconds between two deletions of the rows that are not needed."""

_LOCK = 7_034_215_969
"""A number of an advisory lock: replicas that start at once make the table one after the other."""
_TABLE = (
    "CREATE UNLOGGED TABLE upconv_rates (client TEXT PRIMARY KEY, full_at DOUBLE PRECISION NOT NULL) WITH (fillfactor = 50)"
)
_NOW = "extract(epoch FROM clock_timestamp())::float8"
_NEW = "INSERT INTO upconv_rates SELECT client, 0 FROM unnest(%s::text[]) AS a(client) ORDER BY client ON CONFLICT DO NOTHING"
_SWEEP = f"""
DELETE FROM upconv_rates WHERE client IN (SELECT client FROM upconv_rates WHERE full_at < {_NOW} FOR UPDATE SKIP LOCKED)
"""  # noqa: S608, words of our own
_TAKE = f"""
WITH asked AS (
    SELECT * FROM unnest(
        %(client)s::text[], %(per_s)s::float8[], %(burst)s::float8[], %(need)s::float8[], %(ahead)s::float8[], %(back)s::float8[]
    ) AS a(client, per_s, burst, need, ahead, back)
), held AS (
    SELECT asked.*, now, least(greatest(upconv_rates.full_at - back / per_s, now), now + burst / per_s) AS full_at
    FROM asked JOIN upconv_rates USING (client) CROSS JOIN (SELECT {_NOW} AS now) AS moment
    ORDER BY client FOR UPDATE OF upconv_rates
), bucket AS (
    SELECT *, greatest(0, floor(burst - (full_at - now) * per_s + 1e-6 * (1 + per_s))) AS tokens FROM held
), granted AS (
    SELECT *, least(need, tokens) + least(ahead, floor(greatest(0, tokens - need) / {AHEAD})) AS given FROM bucket
)
UPDATE upconv_rates SET full_at = granted.full_at + given / per_s FROM granted WHERE upconv_rates.client = granted.client
RETURNING granted.client, given, greatest(0, upconv_rates.full_at - (burst - 1) / per_s - now) AS wait_s
"""  # noqa: S608, words of our own
"""Times are exact to a microsecond, so a bucket whose next token comes within one has it. After a change of its rate, a bucket is at most empty."""


class PostgresRates:
    """The token buckets of all replicas."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[_Exchange]:
        """A connection of its own inside the context, so that no statement of a job holds up a request."""
        async with self._database.connection() as connection:
            with anyio.fail_after(PATIENCE_S):
                await _prepare(connection)
            yield _Exchange(connection)


class _Exchange:
    """The statements on one connection. They raise errors of psycopg, which the context turns into a `StorageError`."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._swept = time.monotonic()

    async def __call__(self, claims: Sequence[RateClaim]) -> Mapping[str, RateGrant]:
        """Take tokens for several clients, each one named once, and return what each one got."""
        with anyio.fail_after(PATIENCE_S):
            grants = await self._take(claims)
            missing = [claim for claim in claims if claim.client not in grants]
            if missing:
                await self._connection.execute(_NEW, [[claim.client for claim in missing]])
                grants |= await self._take(missing)
            if time.monotonic() - self._swept > SWEEP_S or not claims:
                self._swept = time.monotonic()
                await self._connection.execute(_SWEEP)
        return grants

    async def _take(self, claims: Sequence[RateClaim]) -> dict[str, RateGrant]:
        if not claims:
            return {}
        names = ("client", "per_s", "burst", "need", "ahead", "back")
        cursor = await self._connection.execute(_TAKE, {name: [getattr(claim, name) for claim in claims] for name in names})
        return {client: RateGrant(int(given), wait_s) for client, given, wait_s in await cursor.fetchall()}


async def _prepare(connection: AsyncConnection[Any]) -> None:
    """Make the table if there is none."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        [found] = await (await connection.execute("SELECT to_regclass('upconv_rates') IS NOT NULL")).fetchone() or [False]
        if not found:
            await connection.execute(_TABLE)
