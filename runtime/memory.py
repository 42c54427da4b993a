"""How much memory this process may still take, and how it gives back what it had."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

from upconv.runtime.cores import CGROUP

_UNKNOWN = 4 * 2**30
"""What is assumed to be free where the system does not say."""


def give_back() -> None:
    """Let the C library return what was freed, which it keeps for each thread otherwise; only glibc has to be asked."""
    with suppress(OSError, AttributeError):
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
