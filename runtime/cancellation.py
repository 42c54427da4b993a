"""Cancellation of work that is already running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upconv.runtime.errors import Cancelled


class Cancellation:
    """A signal that a result is no longer wanted. It is given once, and any thread may give it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []
        self.cancelled = False
        """True after `cancel` was called."""

    def cancel(self) -> None:
        """Give the signal and call all listeners. Further calls do nothing."""
        with self._lock:
            self.cancelled = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def check(self) -> None:
        """Raise `Cancelled` if `cancel` was called."""
        if self.cancelled:
            raise Cancelled("the picture was cancelled")

    @contextmanager
    def calling(self, listener: Callable[[], object]) -> Iterator[None]:
        """Call `listener` if `cancel` is called within the block, or at once if it was called before."""
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
