"""Memory that was freed between blocks in use, given back to the system: glibc keeps it, so that a server would only grow."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import to_thread

from upconv.runtime import memory

_EVERY_S = 5.0


async def release_when_idle(work_done: Callable[[], float]) -> None:
    """Every few seconds in which work was done, give back what is free; until cancelled."""
    before = work_done()
    while True:
        await anyio.sleep(_EVERY_S)
        if (now := work_done()) != before:
            await to_thread.run_sync(memory.release_free_memory)
            before = now
