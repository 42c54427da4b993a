"""A lock on an open file that excludes other processes, by `fcntl` or, on Windows, `msvcrt`."""

from __future__ import annotations

from importlib import import_module
from typing import IO, Any


def lock(file: IO[Any]) -> None:
    """Lock `file` until it is closed, without waiting. Raises `OSError` if another process holds the lock.

    A system that has neither module locks nothing.
    """
    if (fcntl := _module("fcntl")) is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif (msvcrt := _module("msvcrt")) is not None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
