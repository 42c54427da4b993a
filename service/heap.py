"""Returning free memory to the system.

glibc keeps freed memory between blocks in use, so that the memory of a server would only grow.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import to_thread

from upconv.runtime import memory

_INTERVAL_S = 5.0


async def release_when_idle(work_done: Callable[[], float], succeeded: Callable[[], object]) -> None:
    """Return free memory to the system every few seconds, until cancelled; call `succeeded` after each time.

    Nothing happens if `work_done`, a counter, has not changed since the last time.
    """
    before = work_done()
    while True:
        await anyio.sleep(_INTERVAL_S)
        if (now := work_done()) != before:
            await to_thread.run_sync(memory.release_free_memory)
            before = now
        succeeded()
