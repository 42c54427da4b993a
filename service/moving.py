"""Bytes that move between the service and its clients, and take memory until they have moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 20.0
"""Seconds for which a transfer keeps its memory in any case. After that it keeps it until others need it."""


class Moving:
    """The transfers in one direction. If memory is needed, the first ones are let go. It belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.bytes = 0
        """Bytes in memory for these transfers, and for what waits after its transfer."""
        self._clock = clock
        self._transfers: dict[object, tuple[float, Callable[[], None]]] = {}

    @contextmanager
    def transfer(self, let_go: Callable[[], None]) -> Iterator[None]:
        """Count a transfer during the block. `let_go` must end it, and take its bytes from `bytes` at once."""
        key = object()
        self._transfers[key] = (self._clock(), let_go)
        try:
            yield
        finally:
            self._transfers.pop(key, None)

    def make_room(self, bytes: int, limit: int) -> bool:
        """Return true if further bytes have room below `limit`, after letting go as many old transfers as needed."""
        while self.bytes + bytes > limit and (let_go := self._oldest()) is not None:
            let_go()
        return self.bytes + bytes <= limit

    def _oldest(self) -> Callable[[], None] | None:
        key = next(iter(self._transfers), None)
        if key is None or self._clock() - self._transfers[key][0] < PATIENCE_S:
            return None
        return self._transfers.pop(key)[1]
