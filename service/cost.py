"""The predicted cost of a picture, from its size: tiles, memory and time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.passes import Passes
from upconv.service.registry import ServedModel

_BYTES_PER_PIXEL = 4 * (4 + 1)
"""Four channels, each as a float32 value and as an 8-bit sample."""
_CODEC_S_PER_PIXEL = 25e-9
"""Time to decode or encode a pixel, roughly as for JPEG. It is a small part of the total, so it need not be exact."""


@dataclass(frozen=True)
class Cost:
    """The predicted tiles, memory and time of a picture."""

    tiles: int
    bytes: int
    """Peak memory, without the bytes of the file."""
    seconds: float
    """Seconds of one core."""


def total(costs: Sequence[Cost]) -> Cost:
    """Return the cost of pictures that are computed one after the other."""
    return Cost(sum(cost.tiles for cost in costs), max(cost.bytes for cost in costs), sum(cost.seconds for cost in costs))


def predict(passes: Passes, entry: ServedModel) -> Cost:
    """Return the predicted cost of a picture that takes these passes."""
    across, down = passes.output_size
    codec_px = passes.width * passes.height + across * down
    seconds = passes.computed_px / entry.pixels_per_s + codec_px * _CODEC_S_PER_PIXEL
    return Cost(passes.tiles, passes.largest_px * _BYTES_PER_PIXEL, seconds)


class MemoryBudget:
    """The memory for pixels, allocated in the order of the requests. It belongs to one event loop."""

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        """The budget in bytes."""
        self.taken = 0
        """Bytes that are allocated."""
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, bytes: int) -> AsyncIterator[None]:
        """Wait until `bytes` are free, and hold them inside the context.

        Raises `ImageTooLargeError` if `bytes` exceed the whole budget.
        """
        if bytes > self.bytes:
            raise ImageTooLargeError(f"the picture would take {bytes} bytes of memory; at most {self.bytes} are allowed")
        await self._take(bytes)
        try:
            yield
        finally:
            self.taken -= bytes
            self._grant()

    async def _take(self, bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((bytes, turn))
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.taken -= bytes
            self._queue = deque(waiting for waiting in self._queue if waiting[1] is not turn)
            self._grant()
            raise

    def _grant(self) -> None:
        while self._queue and self.taken + self._queue[0][0] <= self.bytes:
            bytes, turn = self._queue.popleft()
            if not turn.cancelled():
                self.taken += bytes
                turn.set_result(None)
