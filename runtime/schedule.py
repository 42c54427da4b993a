"""The order in which the tiles of several pictures are computed.

The algorithm is deficit round robin (Shreedhar and Varghese, 1995). Each request in the queue has a credit, in pixels.
When its turn comes, the credit grows by a quantum, and the request computes tiles until the credit is used up. Then it
goes to the end of the queue. A large picture thus delays a small one by a few tiles only.

The quantum is `TURN_TILES` times the largest tile in the queue, so that most small pictures finish in one turn. With
turns of one tile each, all of them would finish late. A request of lower priority gets a fraction of the quantum: it is
slower, but it always progresses. A new request goes first, as in FQ-CoDel (RFC 8290), but new requests get at most every
second tile.
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
"""The quantum, in tiles of the largest area in the queue. With tiles of the usual size it is half a megapixel."""

LATE = "the picture missed its deadline; allow more time, or try again when less is waiting"
"""The sentence of `TimedOut`."""

OnTile = Callable[[int, int], None]
"""A callback `on_tile(done, total)`, which is called after each tile."""


class Priority(IntEnum):
    """The share of the computed pixels that a request gets, relative to the others in the queue."""

    BACKGROUND = 1
    NORMAL = 8
    URGENT = 64


class TiledWork(Protocol):
    """A picture that can be computed tile by tile.

    The engine's workers call `cut` and `paste`, for different tiles at the same time.
    """

    @property
    def plan(self) -> TilingPlan:
        """The tiles of the picture."""

    def cut(self, tile: Tile) -> Tensor:
        """Return the tile's input, (1, C, h, w) float32."""

    def paste(self, tile: Tile, output: Tensor) -> None:
        """Store the kept part of a tile's output. `output` is (1, C, scale*h, scale*w)."""


@dataclass(eq=False)
class PictureRequest:
    """One picture in the queue, with the state of its computation."""

    work: TiledWork
    on_tile: OnTile | None = None
    priority: Priority = Priority.NORMAL
    deadline: float = float("inf")
    """The time of `time.monotonic()`, in seconds, after which the request fails with `TimedOut`."""
    future: Future[None] = field(default_factory=Future)
    """Completes when the last tile is pasted."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    """Stops the tiles that are being computed. It is cancelled when the future is done, also by an error."""
    waiting: deque[Tile] = field(init=False)
    """The tiles that no worker has taken yet."""
    credit: float = 0
    """The number of input pixels that the request may compute before its turn ends."""
    _done: int = 0
    _reported: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.waiting = deque(self.work.plan.tiles)
        # The callback must not refer to `self`: the cycle would keep the picture until the garbage collector runs.
        cancellation = self.cancellation
        self.future.add_done_callback(lambda _: cancellation.cancel())

    @property
    def over(self) -> bool:
        """True if the future is done, by a result, an error or a cancellation."""
        return self.future.done()

    def finish_one(self) -> None:
        """Count a pasted tile, report progress, and complete the future after the last tile."""
        with self._lock:
            self._done += 1
            done, total = self._done, len(self.work.plan.tiles)
        # Report before the future completes, so that a caller that waits for it has seen all progress, also that of other workers.
        if self.on_tile is not None and not self.over:
            self.on_tile(done, total)
        with self._lock:
            self._reported += 1
            last = self._reported == total
        if last:
            with suppress(InvalidStateError):  # cancelled meanwhile
                self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Fail the future with `error`, unless it is done."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class Schedule:
    """The queue of requests. It is not thread-safe: the engine guards it with a lock."""

    def __init__(self, max_waiting: int, max_waiting_px: int) -> None:
        """Create an empty queue for at most `max_waiting` requests and `max_waiting_px` input pixels."""
        self._line: deque[PictureRequest] = deque()
        self._max_waiting, self._max_waiting_px = max_waiting, max_waiting_px
        self._favoured = False

    def __len__(self) -> int:
        return len(self._line)

    @property
    def waiting_px(self) -> int:
        """The number of input pixels of all tiles that no worker has taken yet."""
        return sum(request.waiting[0].area * len(request.waiting) for request in self._line)

    def add(self, request: PictureRequest) -> None:
        """Append a request. Raises `Overloaded` if the queue is full.

        An empty queue accepts a picture of any size.
        """
        self._sweep()
        if len(self._line) >= self._max_waiting:
            raise Overloaded(f"{len(self._line)} pictures are waiting already; try again later")
        if self._line and self.waiting_px + request.work.plan.computed_px > self._max_waiting_px:
            raise Overloaded(f"{self.waiting_px / 1e6:.0f} megapixels are waiting already; try again later")
        self._line.append(request)

    def take(self, most: int = 1) -> list[tuple[PictureRequest, Tile]]:
        """Remove and return the next tile and up to `most - 1` more of the same shape.

        Returns an empty list if the queue is empty.
        """
        self._sweep()
        if not self._line:
            return []
        first = self._next()
        taken = [first]
        while len(taken) < most and self._line and self._line[0].waiting[0].shape == first[1].shape:
            taken.append(self._next())
        return taken

    def drain(self) -> Iterator[PictureRequest]:
        """Remove and yield all requests."""
        while self._line:
            yield self._line.popleft()

    def _sweep(self) -> None:
        """Fail the requests whose deadline has passed, and remove all that are done."""
        now = time.monotonic()
        for request in self._line:
            if request.deadline <= now:
                request.fail(TimedOut(LATE))
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
        """Move a request that has not started to the front, at most every second time."""
        newcomer = next((r for r in self._line if r.priority == priority and len(r.waiting) == len(r.work.plan.tiles)), None)
        if newcomer is not None and not self._favoured:
            self._line.remove(newcomer)
            self._line.appendleft(newcomer)
        self._favoured = newcomer is not None and not self._favoured

    def _pay(self, request: PictureRequest) -> Tile:
        """Remove and return the next tile of the first request, and end its turn if its credit is used up."""
        tile = request.waiting.popleft()
        request.credit -= tile.area
        if not request.waiting:
            self._line.popleft()
        elif request.credit < request.waiting[0].area:
            self._line.rotate(-1)
        return tile
