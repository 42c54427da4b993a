"""Returning free memory to the system, and short garbage collections.

glibc keeps freed memory between blocks in use, so that the memory of a server would only grow.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import anyio
from anyio import to_thread

from upconv.runtime import memory

_INTERVAL_S = 5.0
_THRESHOLDS = (2_000, 10, 100)
"""Fewer full collections than Python's (700, 10, 10): with thousands of connections, one takes 80 ms."""


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


def keep_out_of_collections() -> None:
    """Let Python's garbage collector skip all objects that exist now, and make full collections rare.

    A full collection visits every object while all requests wait. This is called before models are opened, because they may be
    replaced. Modules and routes make a collection 80 ms longer, and more on a busy machine.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
