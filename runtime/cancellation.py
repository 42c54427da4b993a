"""How a result that nobody wants any more is called off while it is computed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upconv.runtime.errors import Cancelled


class Cancellation:
    """Says, once, that a result is no longer wanted; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []
        self.cancelled = False
        """Whether it was said."""

    def cancel(self) -> None:
        """Tell everyone who listens."""
        with self._lock:
            self.cancelled = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def check(self) -> None:
        """Raise `Cancelled` if it was said."""
        if self.cancelled:
            raise Cancelled("the picture was cancelled")

    @contextmanager
    def calling(self, listener: Callable[[], object]) -> Iterator[None]:
        """Call `listener` when it is said within the block, or at once where it was."""
        with self._lock:
            if not self.cancelled:
                self._listeners.append(listener)
        if self.cancelled:
            listener()
        try:
            yield
        finally:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)
