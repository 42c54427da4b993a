"""Bytes that are given to requests in the order in which they ask."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OrderedBytes:
    """An amount of bytes, of which each holder takes a part. It belongs to one event loop."""

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        """The whole amount."""
        self.taken = 0
        """The bytes that are held."""
        self.holders = 0
        """The number of those who hold bytes."""
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, bytes: int, wait_s: float | None = None) -> AsyncIterator[None]:
        """Wait until `bytes` are free, and hold them in the context.

        They must not exceed the whole amount. Raises `TimeoutError` after `wait_s` seconds.
        """
        await self._take(bytes, wait_s)
        try:
            yield
        finally:
            self._give_back(bytes)

    async def _take(self, bytes: int, wait_s: float | None) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((bytes, turn))
        self._grant()
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except (asyncio.CancelledError, TimeoutError):
            if turn.done() and not turn.cancelled():
                self._give_back(bytes)
            self._queue = deque(waiting for waiting in self._queue if waiting[1] is not turn)
            self._grant()
            raise

    def _give_back(self, bytes: int) -> None:
        self.taken -= bytes
        self.holders -= 1
        self._grant()

    def _grant(self) -> None:
        while self._queue and self.taken + self._queue[0][0] <= self.bytes:
            bytes, turn = self._queue.popleft()
            if not turn.cancelled():
                self.taken += bytes
                self.holders += 1
                turn.set_result(None)
