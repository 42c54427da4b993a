"""Errors that the event loop reports: logged as the other events are, and never in a flood."""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PERIOD_S = 60.0
"""Seconds in which the same error is logged once."""

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RELIEF_PERIOD_S = 0.5
_RELIEF = 64
"""Connections that are let go if no descriptor is left."""
_MOST_KINDS = 100
_NO_ROOM = "no connection can be accepted; waiting ones are closed to make room; raise the limit of open files"


@dataclass
class _Logged:
    """The last time that an error was logged."""

    at_s: float = -math.inf
    suppressed: int = 0
    """The number of times that it came since then."""


class LoopErrors:
    """An exception handler of an event loop.

    If no descriptor is left for a connection, asyncio reports this for up to a hundred waiting connections, every second, and
    as many errors again after the listener is closed.
    """

    def __init__(self, log: Any, relieve: Callable[[int], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Create a handler; `relieve` lets go a number of waiting connections."""
        self._log, self._relieve, self._clock = log, relieve, clock
        self._relieved_s = -math.inf
        self._logged: dict[str, _Logged] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error, the same one once in `PERIOD_S`; if it is that no connection can be accepted, make room."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            self._make_room()
            self._log_once(_NO_ROOM, error.strerror or "", None)
        else:
            self._log_once("the event loop reports an error", str(error or context["message"]), error)

    def _make_room(self) -> None:
        now = self._clock()
        if now - self._relieved_s >= _RELIEF_PERIOD_S:
            self._relieved_s = now
            self._relieve(_RELIEF)

    def _log_once(self, message: str, reason: str, error: BaseException | None) -> None:
        now, key = self._clock(), f"{message}: {reason}"
        before = self._logged.setdefault(key, _Logged())
        if now - before.at_s < PERIOD_S:
            before.suppressed += 1
            return
        self._log.error(message, error=reason, suppressed=before.suppressed, exc_info=error)
        if len(self._logged) > _MOST_KINDS:
            self._logged.clear()
        self._logged[key] = _Logged(now)
