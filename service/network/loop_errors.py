"""Errors that the event loop reports: logged as the other events are, and never in a flood."""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Callable
from typing import Any

PERIOD_S = 60.0
"""Seconds in which it is logged once that no connection can be accepted."""

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RELIEF_PERIOD_S = 0.5
_RELIEF = 64
"""Connections that are let go if no descriptor is left."""


class LoopErrors:
    """An exception handler of an event loop.

    If no descriptor is left for a connection, asyncio reports this for up to a hundred waiting connections, every second.
    """

    def __init__(self, log: Any, relieve: Callable[[int], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Create a handler; `relieve` lets go a number of waiting connections."""
        self._log, self._relieve, self._clock = log, relieve, clock
        self._logged_s = self._relieved_s = -math.inf
        self._suppressed = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error; if it is that no connection can be accepted, make room, and log it once in `PERIOD_S`."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            self._not_accepted(error)
        else:
            self._log.error("the event loop reports an error", error=str(context["message"]), exc_info=error)

    def _not_accepted(self, error: OSError) -> None:
        now = self._clock()
        if now - self._relieved_s >= _RELIEF_PERIOD_S:
            self._relieved_s = now
            self._relieve(_RELIEF)
        if now - self._logged_s < PERIOD_S:
            self._suppressed += 1
            return
        message = "no connection can be accepted; waiting ones are closed to make room; raise the limit of open files"
        self._log.error(message, error=error.strerror, suppressed=self._suppressed)
        self._logged_s, self._suppressed = now, 0
