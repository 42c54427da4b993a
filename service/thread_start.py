"""The start of threads, which must not hang if no memory is left.

`Thread.start` waits until the new thread has reported itself. A thread that gets no memory for its first steps ends without a
report, and its starter, here mostly the event loop, waits for ever: https://github.com/python/cpython/issues/140746
"""

from __future__ import annotations

import threading

from upconv.runtime import memory

ROOM_BYTES = 32 * 2**20
"""Address space that must be free when a thread starts: its stack of usually 8 MiB, and some memory for its first steps."""

REPORT_S = 5.0
"""Seconds in which a thread must report itself, which usually takes a tenth of a millisecond."""

_start = threading.Thread.start


def refuse_without_room() -> None:
    """Make `Thread.start` raise `RuntimeError` in this process if there is no memory for a thread.

    Python raises the same error if there is no room for the stack. The libraries that start threads know it.
    """
    threading.Thread.start = _start_with_room  # type: ignore[assignment, method-assign]


def _start_with_room(thread: threading.Thread) -> None:
    if memory.address_space_bytes() < ROOM_BYTES:
        raise RuntimeError("can't start new thread: the limit of address space leaves no room for it")
    if not thread._started.is_set():  # type: ignore[attr-defined]
        thread._started = _Report()  # type: ignore[attr-defined]
    _start(thread)


class _Report(threading.Event):
    """The event that a new thread sets. A wait for it ends."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; raise `RuntimeError` if that takes too long and there is no `timeout`."""
        reported = super().wait(REPORT_S if timeout is None else timeout)
        if not reported and timeout is None:
            raise RuntimeError("can't start new thread: it did not report itself, probably because it got no memory")
        return reported
