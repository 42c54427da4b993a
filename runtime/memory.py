"""The memory that is free for this process, and the return of freed memory to the system."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import re
from contextlib import suppress
from pathlib import Path

from upconv.runtime.cores import CGROUP, available_cores
from upconv.runtime.errors import OutOfMemoryError

RESERVE_BYTES = 64 * 2**20
"""Address space that must be free when work begins, for the small blocks of libraries."""

_THREAD_BYTES = 72 * 2**20
"""Address space of a thread: a stack of usually 8 MiB, and the heap of 64 MiB that glibc reserves for it."""

_UNKNOWN = 4 * 2**30
"""Assumed free memory in bytes, if the system does not report it."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)."""

_NOT_GLIBC = (AttributeError, OSError, TypeError)
"""Errors of a call to glibc's functions in another C library. On Windows, `CDLL` needs the name of a library."""


def lower_trim_threshold() -> None:
    """Make glibc return the free end of each thread's heap to the system when it reaches 1 MiB.

    By default glibc raises this threshold to twice the largest block that was ever freed, up to 64 MiB, and `malloc_trim`
    leaves these ends alone: a process with a dozen threads keeps a hundred megabytes that it does not use.

    The setting applies to the whole process. This does nothing without glibc, or if the environment sets a threshold
    (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`, `GLIBC_TUNABLES`).
    """
    configured = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys()
    if configured or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(*_NOT_GLIBC):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, 2**20)
        # After one threshold is set, glibc no longer raises the other, and would map and zero each large block anew.
        library.mallopt(_MMAP_THRESHOLD, 32 * 2**20)


def release_free_memory() -> None:
    """Make glibc return the freed memory of all threads to the system. This does nothing without glibc."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)


def available_bytes(cgroup: Path = CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the number of bytes that are free, by the machine and by the container's limit.

    Returns 4 GiB if the system does not report its free memory and the container has no limit.
    """
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read(meminfo))
    free = int(found[1]) * 1024 if found else _UNKNOWN
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if not limit.isdigit() or not used.isdigit():
        limit, used = _read(cgroup / "memory/memory.limit_in_bytes"), _read(cgroup / "memory/memory.usage_in_bytes")
    return max(0, min(free, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free


def address_space_bytes(statm: Path = Path("/proc/self/statm")) -> float:
    """Return the bytes of address space that this process may still take (`ulimit -v`); infinity without a limit."""
    try:
        import resource  # only Unix has it
    except ImportError:
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    try:
        pages = statm.read_text().partition(" ")[0]
    except (OSError, MemoryError) as error:
        return 0 if isinstance(error, MemoryError) or error.errno == errno.ENOMEM else math.inf
    if not pages.isdigit():
        return math.inf
    return max(0, limit - int(pages) * resource.getpagesize())


def room_bytes(pictures: int = 1) -> int:
    """Return the address space that must be free for the threads of so many pictures at once, with a reserve.

    libvips starts a thread per core for each picture, beside the thread that waits for it.
    """
    return RESERVE_BYTES + pictures * (available_cores() + 1) * _THREAD_BYTES


def expect_room(bytes: int = 0, pictures: int = 1) -> None:
    """Raise `OutOfMemoryError` if the limit of address space leaves less than `bytes` and the room for `pictures`.

    Work that begins without it may end the process: libvips crashes if a thread cannot start, and GLib aborts if a small block
    cannot be allocated.
    """
    free = address_space_bytes()
    if free == math.inf:  # no files are read, as below
        return
    if free < (needed := bytes + room_bytes(pictures)):
        raise OutOfMemoryError(
            f"the limit of address space leaves {free / 2**20:.0f} MiB, but {needed / 2**20:.0f} MiB are needed; "
            "raise it (ulimit -v), or try again later"
        )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
