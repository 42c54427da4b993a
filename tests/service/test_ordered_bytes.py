from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from upconv.service.ordered_bytes import OrderedBytes


def test_bytes_are_given_in_order() -> None:
    async def run() -> list[str]:
        amount, seen = OrderedBytes(100), list[str]()

        async def take(name: str, bytes: int) -> None:
            async with amount.hold(bytes):
                seen.append(name)

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(amount.hold(60))
            tasks = [asyncio.create_task(take(name, bytes)) for name, bytes in (("large", 41), ("small", 1))]
            await asyncio.sleep(0)
            assert (seen, amount.taken, amount.holders) == ([], 60, 1)
        await asyncio.gather(*tasks)
        assert (amount.taken, amount.holders) == (0, 0)
        return seen

    assert asyncio.run(run()) == ["large", "small"]


def test_what_fits_beside_a_holder_does_not_wait() -> None:
    async def run() -> None:
        amount = OrderedBytes(100)
        async with amount.hold(60), amount.hold(40, 0.01):
            assert (amount.taken, amount.holders) == (100, 2)

    asyncio.run(run())


def test_who_waits_too_long_or_is_cancelled_leaves_no_trace() -> None:
    async def run() -> None:
        amount = OrderedBytes(100)
        async with amount.hold(100):
            with pytest.raises(TimeoutError):
                await amount.hold(1, 0.01).__aenter__()
            cancelled = asyncio.create_task(amount.hold(1).__aenter__())
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
        assert (amount.taken, amount.holders) == (0, 0)
        async with amount.hold(100):
            assert amount.taken == 100

    asyncio.run(run())


def test_bytes_that_come_with_the_cancellation_are_given_back() -> None:
    async def run() -> None:
        amount = OrderedBytes(100)
        async with amount.hold(100):
            waits = asyncio.create_task(amount.hold(100).__aenter__())
            await asyncio.sleep(0)
        waits.cancel()  # its turn has come, but it has not run since
        await asyncio.gather(waits, return_exceptions=True)
        assert (amount.taken, amount.holders) == (0, 0)

    asyncio.run(run())
