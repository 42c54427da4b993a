"""How much memory this process may still take, and how it gives back what it had."""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from pathlib import Path

from upconv.runtime.cores import CGROUP

_UNKNOWN = 4 * 2**30
"""What is assumed to be free where the system does not say."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)."""

_NOT_GLIBC = (AttributeError, OSError, TypeError)
"""What asking another C library for glibc's functions raises; on Windows, a library must be named."""


def lower_trim_threshold() -> None:
    """Let glibc return the free end of each thread's heap as soon as it is a megabyte; nothing where there is no glibc.

    By itself it raises that to twice the largest block that was ever freed, 64 MiB at most, and `malloc_trim` spares those
    ends: a process of a dozen threads would keep a hundred megabytes that nobody uses. This holds for the whole process;
    where the environment has thresholds of its own (`MALLOC_TRIM_THRESHOLD_`, `GLIBC_TUNABLES`) nothing is done.
    """
    own = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys()
    if own or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(*_NOT_GLIBC):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, 2**20)
        # Where one is set glibc no longer moves the other: large blocks of the heap would be mapped, and zeroed, each time.
        library.mallopt(_MMAP_THRESHOLD, 32 * 2**20)


def release_free_memory() -> None:
    """Let the C library return what was freed, which it keeps for each thread otherwise; only glibc has to be asked."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)


def available_bytes(cgroup: Path = CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory that is free, by the machine and by the container's limit."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read(meminfo))
    free = int(found[1]) * 1024 if found else _UNKNOWN
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if not limit.isdigit() or not used.isdigit():
        limit, used = _read(cgroup / "memory/memory.limit_in_bytes"), _read(cgroup / "memory/memory.usage_in_bytes")
    return max(0, min(free, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
