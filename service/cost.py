"""The predicted cost of a picture, from its size: pixels, memory and time."""

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
"""Four channels, each as a float and as a sample."""
_CODEC_S_PER_PIXEL = 25e-9
"""Seconds per pixel for decoding or encoding, about that of JPEG. It is a small part of the cost, so it is not exact."""


@dataclass(frozen=True)
class Cost:
    """A predicted cost."""

    tiles: int
    bytes: int
    """Largest memory in bytes, without the file's own bytes."""
    seconds: float
    """Processor seconds on one core."""


def together(costs: Sequence[Cost]) -> Cost:
    """Return the cost of pictures that are computed one after the other."""
    return Cost(sum(cost.tiles for cost in costs), max(cost.bytes for cost in costs), sum(cost.seconds for cost in costs))


def predict(passes: Passes, entry: ServedModel) -> Cost:
    """Return the cost of a picture that takes these passes."""
    across, down = passes.output_size
    codec_px = passes.width * passes.height + across * down
    seconds = passes.computed_px / entry.pixels_per_s + codec_px * _CODEC_S_PER_PIXEL
    return Cost(passes.tiles, passes.largest_px * _BYTES_PER_PIXEL, seconds)


class MemoryBudget:
    """The memory for pixels. Work waits for it in the order of arrival. Belongs to one event loop."""

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        """The whole budget in bytes."""
        self.taken = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, bytes: int) -> AsyncIterator[None]:
        """Wait for this many bytes; raises `ImageTooLargeError` if the budget is smaller."""
        if bytes > self.bytes:
            raise ImageTooLargeError(f"the picture would take {bytes} bytes of memory; at most {self.bytes} are allowed")
        await self._take(bytes)
        try:
            yield
        finally:
            self.taken -= bytes
            self._serve()

    async def _take(self, bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((bytes, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.taken -= bytes
            self._line = deque(waiting for waiting in self._line if waiting[1] is not turn)
            self._serve()
            raise

    def _serve(self) -> None:
        while self._line and self.taken + self._line[0][0] <= self.bytes:
            bytes, turn = self._line.popleft()
            if not turn.cancelled():
                self.taken += bytes
                turn.set_result(None)
