"""The cost of rates that replicas share: `python benchmarks/shared_rates.py postgresql://USER:PASSWORD@HOST/DATABASE`.

Prints the milliseconds until a request is counted for 200 clients that send one request at a time and for one that sends many,
and the requests a second of 50 clients at once. It makes the table `upconv_rates` in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from upconv.service.jobs.postgres_database import PostgresDatabase
from upconv.service.jobs.postgres_rates import PostgresRates
from upconv.service.rates import Rates
from upconv.service.shared_rates import SharedRates

CLIENTS, AT_ONCE, REQUESTS = 200, 50, 3000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", help="the URL of the database")
    asyncio.run(measure(PostgresDatabase(parser.parse_args().store)))


async def measure(database: PostgresDatabase) -> None:
    """Measure with a rate that refuses nothing."""
    alone: list[None] = []
    rates = SharedRates(Rates(1e6, 1_000_000), PostgresRates(database), lambda: alone.append(None))
    task = asyncio.create_task(rates.run(lambda: None, print, now=True))
    while not rates.shared:
        await asyncio.sleep(0.01)
    rare = [await waited_ms(rates, f"client {number % CLIENTS}") for number in range(REQUESTS)]
    print(
        f"{CLIENTS} clients, one request at a time: median {statistics.median(rare):.2f} ms, mean {statistics.mean(rare):.2f} ms"
    )
    busy = [await waited_ms(rates, "busy") for _ in range(REQUESTS)]
    print(f"one busy client: median {statistics.median(busy):.3f} ms, mean {statistics.mean(busy):.3f} ms")
    started = time.perf_counter()
    await asyncio.gather(*(many(rates, f"one of {AT_ONCE}: {number}") for number in range(AT_ONCE)))
    print(f"{AT_ONCE} clients at once: {REQUESTS / (time.perf_counter() - started):.0f} requests a second")
    print(f"{len(alone)} requests were counted without the database")
    task.cancel()
    database.close()


async def waited_ms(rates: SharedRates, client: str) -> float:
    """Return the milliseconds until a request is counted."""
    started = time.perf_counter()
    await rates.admit(client)
    return 1000 * (time.perf_counter() - started)


async def many(rates: SharedRates, client: str) -> None:
    """Send the requests of one of several clients."""
    for _ in range(REQUESTS // AT_ONCE):
        await rates.admit(client)


if __name__ == "__main__":
    main()
