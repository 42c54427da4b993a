"""Memory that was freed, given back to the system: glibc keeps it in each thread's arena, where a server's would only grow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import anyio
from anyio import to_thread

_EVERY_S = 5.0
_ARENA_MAX = -8
"""M_ARENA_MAX of mallopt(3)."""
_ARENAS = 2


def few_arenas() -> None:
    """Let all threads share a few arenas, so that what one frees another one uses; nothing where there is no glibc."""
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


async def give_back(work_done: Callable[[], float]) -> None:
    """Every few seconds in which work was done, give back what is free; until cancelled."""
    trim, before = _of_glibc("malloc_trim"), work_done()
    while trim is not None:
        await anyio.sleep(_EVERY_S)
        if (now := work_done()) != before:
            await to_thread.run_sync(trim, 0)
            before = now


def _of_glibc(name: str) -> Callable[..., int] | None:
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return function
