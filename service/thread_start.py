"""The start of threads, which must not hang if no memory is left.

`Thread.start` waits until the new thread has reported itself. A thread that gets no memory for its first steps ends without a
report, and its starter, here mostly the event loop, waits for ever: https://github.com/python/cpython/issues/140746
"""

from __future__ import annotations

import threading

from upconv.runtime import memory

ROOM_BYTES = 32 * 2**20
"""Address space that must be free when a thread starts: its stack of usually 8 MiB, and some memory for its first steps."""

_start = threading.Thread.start


def refuse_without_room() -> None:
    """Make `Thread.start` raise `RuntimeError` in this process if the limit of address space leaves no room for a thread.

    Python raises the same error if there is no room for the stack. The libraries that start threads know it.
    """
    threading.Thread.start = _start_with_room  # type: ignore[method-assign]


def _start_with_room(thread: threading.Thread) -> None:
    if memory.address_space_bytes() < ROOM_BYTES:
        raise RuntimeError("can't start new thread: the limit of address space leaves no room for it")
    _start(thread)
