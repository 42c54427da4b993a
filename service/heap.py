"""Return of free memory to the system. glibc keeps memory that is freed between used blocks."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import to_thread

from upconv.runtime import memory

_EVERY_S = 5.0


async def release_when_idle(work_done: Callable[[], float]) -> None:
    """Return free memory every few seconds in which work was done, until the task is cancelled."""
    before = work_done()
    while True:
        await anyio.sleep(_EVERY_S)
        if (now := work_done()) != before:
            await to_thread.run_sync(memory.release_free_memory)
            before = now
