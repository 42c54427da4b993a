"""Background tasks that go on after an error.

An error in a task beside the server must never end the process, because pictures in work would end with it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio

from upconv.runtime.errors import UpconvError, first_line

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Failing:
    """A background task whose last attempt failed."""

    error: str
    """One sentence."""
    failures: int
    """Failed attempts since the last successful one."""
    since: float
    """Time of the first of them, in seconds since 1970."""

    @property
    def pause_s(self) -> float:
        """Seconds until the next attempt: they double with each failure, up to a minute."""
        return min(FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 16), LONGEST_PAUSE_S)


class Supervisor:
    """Runs background tasks. It logs and counts their errors, and starts the tasks again after growing pauses."""

    def __init__(self, log: Any, failed: Callable[[str], object]) -> None:
        self._log, self._count = log, failed
        self.failing: dict[str, Failing] = {}
        """The tasks whose last attempt failed, by name."""

    async def run(self, name: str, task: Callable[[], Awaitable[object]]) -> None:
        """Run `task` until it returns; start it again after an error.

        A task that loops calls `succeeded` after each turn. Otherwise it counts as failing until it returns.
        """
        while True:
            try:
                await task()
            except Exception as error:
                failing = self.failed(name, error)
            else:
                self.succeeded(name)
                return
            await anyio.sleep(failing.pause_s)

    def succeeded(self, name: str) -> None:
        """Note that a task does its work again."""
        if self.failing.pop(name, None) is not None:
            self._write("info", name)

    def failed(self, name: str, error: Exception) -> Failing:
        """Note that an attempt of a task failed. `run` does this itself; other tasks go on at their own pace."""
        before = self.failing.get(name)
        failing = Failing(first_line(error), before.failures + 1 if before else 1, before.since if before else time.time())
        self.failing[name] = failing
        self._count(name)
        unexpected = {} if isinstance(error, UpconvError) else {"exc_info": error}
        self._write("error", name, error=failing.error, failures=failing.failures, again_in_s=failing.pause_s, **unexpected)
        return failing

    def _write(self, level: str, name: str, **fields: Any) -> None:
        with suppress(OSError, ValueError):  # a log on a full disk must not end the task
            getattr(self._log, level)("background task", task=name, working="error" not in fields, **fields)
