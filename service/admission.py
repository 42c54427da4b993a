"""Who may come in: a bounded number of pictures and bytes, so that nothing waits in a line without end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from upconv.service.errors import FullError

_WEIGHT = 0.1
"""Of the newest picture in the mean of seconds per picture."""
_LONGEST_S = 300


class Admission:
    """Counts pictures in work or waiting. Belongs to one event loop, so it needs no lock."""

    def __init__(self, max_pictures: int, max_bytes: int, at_once: int) -> None:
        self.pictures = 0
        self.bytes = 0
        self._max_pictures, self._max_bytes, self._at_once = max_pictures, max_bytes, at_once
        self._mean_s = 1.0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one picture; raises `FullError` where all are taken."""
        if self.pictures >= self._max_pictures:
            raise self.full(f"{self.pictures} pictures are in work or waiting")
        self.pictures += 1
        place = Place(self)
        try:
            yield place
        finally:
            self.pictures -= 1
            self.bytes -= place.held

    def took(self, seconds: float) -> None:
        """Learn from a picture that was computed."""
        self._mean_s += _WEIGHT * (seconds - self._mean_s)

    @property
    def retry_after_s(self) -> int:
        """Seconds until a place should be free: the time that what is here takes, at the mean of the last pictures."""
        return max(1, min(_LONGEST_S, math.ceil(self._mean_s * self.pictures / self._at_once)))

    def hold(self, bytes: int) -> None:
        """Count further bytes; raises `FullError` where they are too many."""
        if self.bytes + bytes > self._max_bytes:
            raise self.full(f"{self.bytes} bytes of pictures are in work or waiting")
        self.bytes += bytes

    def full(self, why: str) -> FullError:
        """The error that says when to come back."""
        return FullError(f"{why}; try again in {self.retry_after_s} s", self.retry_after_s)


class Place:
    """One picture's place."""

    def __init__(self, admission: Admission) -> None:
        self.held = 0
        """Bytes counted for it."""
        self._admission = admission

    def hold(self, bytes: int) -> None:
        """Count `bytes` in all for this picture; raises `FullError` where there is no room for them."""
        if bytes > self.held:
            self._admission.hold(bytes - self.held)
            self.held = bytes
