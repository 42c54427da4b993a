"""The lowest pace at which a client must send a body and take a response."""

from __future__ import annotations

from dataclasses import dataclass

LOWEST_BYTES_PER_S = 1024
"""Bytes that a client must send or take per second, on average over a window."""


def bytes_in(window_s: float) -> int:
    """Return the fewest bytes that must move in a window."""
    return max(1, int(LOWEST_BYTES_PER_S * window_s))


@dataclass
class Pace:
    """The bytes that a client moves in windows of `window_s` seconds."""

    window_s: float
    _begun_s: float | None = None
    _at_begin: int = 0
    _expected: int = 0

    def stop(self) -> None:
        """End the window, because nothing waits to be moved."""
        self._begun_s = None

    def too_slow(self, now_s: float, moved: int, waiting: int) -> bool:
        """Return true if a window ends in which too few bytes moved.

        `moved` is the count of bytes so far, and `waiting` is the number of bytes that wait for the client. A client need not
        take more than what waited at the beginning of the window.
        """
        ended = self._begun_s is not None and now_s - self._begun_s >= self.window_s
        slow = ended and moved - self._at_begin < self._expected
        if ended or self._begun_s is None:
            self._begun_s, self._at_begin, self._expected = now_s, moved, min(waiting, bytes_in(self.window_s))
        return slow
