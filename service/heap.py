"""Memory that was freed, given back to the system: glibc keeps it in each thread's arena, where a server's would only grow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio import to_thread

from upconv.runtime import memory

_EVERY_S = 5.0
_ARENA_MAX = -8
"""M_ARENA_MAX of mallopt(3)."""
_ARENAS = 2


def few_arenas() -> None:
    """Let all threads share a few arenas, so that what one frees another one uses; nothing where there is no glibc."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


async def give_back(work_done: Callable[[], float]) -> None:
    """Every few seconds in which work was done, give back what is free; until cancelled."""
    before = work_done()
    while True:
        await anyio.sleep(_EVERY_S)
        if (now := work_done()) != before:
            await to_thread.run_sync(memory.give_back)
            before = now
