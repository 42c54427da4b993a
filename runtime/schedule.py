"""Whose turn it is: deficit round robin by tile (Shreedhar and Varghese, 1995), so that nobody waits for a large picture.

Every request in the line has a credit of pixels. In its turn the credit grows by a quantum, and as many of its tiles are
computed as it pays for. The quantum is a few of the largest tile in the line: small pictures are then done in one turn, one
after the other, where taking turns by single tiles would end all of them late. A request of
lower priority gets a part of the quantum, so it saves up over several rounds: it is slower, but never starves. Newcomers
go first once, as in FQ-CoDel (RFC 8290), but only for every second tile, so that the others move on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Lock
from typing import Protocol

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Overloaded, TimedOut
from upconv.runtime.session import Tensor
from upconv.runtime.tiling import Tile, TilingPlan

TURN_TILES = 4
"""The quantum, in tiles of the largest area in the line: half a megapixel, as tiles usually are."""

OnTile = Callable[[int, int], None]
"""Called with the number of tiles that are done and of all."""


class Priority(IntEnum):
    """How large a request's share is while others wait."""

    BACKGROUND = 1
    NORMAL = 8
    URGENT = 64


class TiledWork(Protocol):
    """A picture's tiles; `cut` and `paste` are called from the workers, for several tiles at once."""

    @property
    def plan(self) -> TilingPlan:
        """Which tiles there are."""

    def cut(self, tile: Tile) -> Tensor:
        """The tile's input, (1, C, h, w) float32."""

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Take a tile's output, (1, C, scale*h, scale*w)."""


@dataclass(eq=False)
class PictureRequest:
    """One picture on its way."""

    work: TiledWork
    on_tile: OnTile | None = None
    priority: Priority = Priority.NORMAL
    deadline: float = float("inf")
    """When the result is of no use any more, by `time.monotonic()`."""
    future: Future[None] = field(default_factory=Future)
    cancellation: Cancellation = field(default_factory=Cancellation)
    waiting: deque[Tile] = field(init=False)
    credit: float = 0
    _done: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.waiting = deque(self.work.plan.tiles)
        cancellation = (
            self.cancellation
        )  # and not the request, which would go in a circle, and keep its picture until Python looks for such
        self.future.add_done_callback(lambda _: cancellation.cancel())

    @property
    def over(self) -> bool:
        """Whether nobody needs further tiles."""
        return self.future.done()

    def finish_one(self) -> None:
        """Count a tile that was pasted; the last one ends the request."""
        with self._lock:
            self._done += 1
            done, total = self._done, len(self.work.plan.tiles)
        # Before the future is set: whoever waits for it has then seen all progress.
        if self.on_tile is not None and not self.over:
            self.on_tile(done, total)
        if done == total:
            with suppress(InvalidStateError):  # called off meanwhile
                self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End the request with an error, unless it is over."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class Schedule:
    """The line of requests. Holds no lock: whoever uses it from several threads does."""

    def __init__(self, max_waiting: int, max_waiting_px: int) -> None:
        self._line: deque[PictureRequest] = deque()
        self._max_waiting, self._max_waiting_px = max_waiting, max_waiting_px
        self._favoured = False

    def __len__(self) -> int:
        return len(self._line)

    @property
    def waiting_px(self) -> int:
        """Input pixels of the tiles that nobody computes yet."""
        return sum(request.waiting[0].area * len(request.waiting) for request in self._line)

    def add(self, request: PictureRequest) -> None:
        """Let a request wait; raises `Overloaded` where more waits already than allowed."""
        self._sweep()
        if len(self._line) >= self._max_waiting:
            raise Overloaded(f"{len(self._line)} pictures are waiting already; try again later")
        if self._line and self.waiting_px + request.work.plan.computed_px > self._max_waiting_px:
            raise Overloaded(f"{self.waiting_px / 1e6:.0f} megapixels are waiting already; try again later")
        self._line.append(request)

    def take(self, most: int = 1) -> list[tuple[PictureRequest, Tile]]:
        """The tile whose turn it is, and up to `most` - 1 further ones of the same shape; empty where nobody waits."""
        self._sweep()
        if not self._line:
            return []
        first = self._next()
        taken = [first]
        while len(taken) < most and self._line and self._line[0].waiting[0].shape == first[1].shape:
            taken.append(self._next())
        return taken

    def drain(self) -> Iterator[PictureRequest]:
        """Everybody who waits, taken out of the line."""
        while self._line:
            yield self._line.popleft()

    def _sweep(self) -> None:
        """Drop those who no longer wait, and tell those whose time is over."""
        now = time.monotonic()
        for request in self._line:
            if request.deadline <= now:
                request.fail(TimedOut("the time for this picture is over; allow more, or try again when less is waiting"))
        if any(request.over for request in self._line):
            self._line = deque(request for request in self._line if not request.over)

    def _next(self) -> tuple[PictureRequest, Tile]:
        heaviest = max(request.priority for request in self._line)
        quantum = TURN_TILES * max(request.waiting[0].area for request in self._line)
        self._favour_a_newcomer(heaviest)
        while True:
            request = self._line[0]
            if request.credit >= request.waiting[0].area:
                return request, self._pay(request)
            request.credit += quantum * request.priority / heaviest
            if request.credit < request.waiting[0].area:
                self._line.rotate(-1)

    def _favour_a_newcomer(self, priority: int) -> None:
        """Let one whose first tile still waits go first, at most every second time."""
        newcomer = next((r for r in self._line if r.priority == priority and len(r.waiting) == len(r.work.plan.tiles)), None)
        if newcomer is not None and not self._favoured:
            self._line.remove(newcomer)
            self._line.appendleft(newcomer)
        self._favoured = newcomer is not None and not self._favoured

    def _pay(self, request: PictureRequest) -> Tile:
        tile = request.waiting.popleft()
        request.credit -= tile.area
        if not request.waiting:
            self._line.popleft()
        elif request.credit < request.waiting[0].area:
            self._line.rotate(-1)
        return tile
