"""The checks of the machine: cores, memory, disk and the limits of this process."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from upconv.runtime import memory
from upconv.runtime.cores import available_cores, instruction_sets, processor
from upconv.runtime.doctor.check import Check, State

FEW_FILES = 1024
"""Open files below which the service takes few connections: each may need two."""
LITTLE_MEMORY = 2**30
"""Free memory below which large pictures may not fit: 25 megapixels to 100 take up to 600 MB (docs/engine.md)."""
LITTLE_DISK = 2**30
"""Free space for temporary files below which a large picture may not fit: its samples are kept on disk."""


def machine_checks() -> Iterator[Check]:
    """Yield the checks of the machine, none of which is required."""
    yield _cores()
    free = memory.available_bytes()
    yield _limit(
        "memory", free, LITTLE_MEMORY, f"{free / 2**30:.1f} GiB free", "free memory, or raise the limit of the container"
    )
    yield _address_space()
    yield _open_files()
    yield _disk()
    yield _ffmpeg()


def _limit(name: str, value: float, least: float, found: str, advice: str) -> Check:
    state: State = "low" if value < least else "ok"
    return Check("machine", name, state, found, advice if state == "low" else "")


def _cores() -> Check:
    total, usable = os.cpu_count() or 1, available_cores()
    limited = f" of {total}, by affinity or the container's quota" if usable < total else ""
    sets = ", ".join(instruction_sets())
    return Check("machine", "cores", "ok", f"{usable}{limited}; {processor()}{f' ({sets})' if sets else ''}")


def _address_space() -> Check:
    free, needed = memory.address_space_bytes(), memory.room_bytes()
    said = "no limit" if free == math.inf else f"{free / 2**30:.1f} GiB left"
    return _limit("address space", free, needed, said, f"raise it to {needed / 2**30:.1f} GiB or more: ulimit -v unlimited")


def _open_files() -> Check:
    try:
        import resource
    except ImportError:  # Windows
        return Check("machine", "open files", "ok", "no limit that can be read")
    soft, hard = (math.inf if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
    said = " of ".join("unlimited" if n == math.inf else str(n) for n in dict.fromkeys((soft, hard)))
    # The service raises its own limit as far as the system allows.
    return _limit(
        "open files", hard, FEW_FILES, said, f"raise the hard limit to {FEW_FILES} or more: ulimit -n, or LimitNOFILE"
    )


def _disk(folder: Path | None = None) -> Check:
    place = folder or Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    return _limit(
        "temporary files", free, LITTLE_DISK, f"{free / 2**30:.1f} GiB free in {place}", "set TMPDIR to a larger disk"
    )


def _ffmpeg() -> Check:
    found = shutil.which("ffmpeg")
    if found is None:
        return Check("machine", "ffmpeg", "missing", "turns video files into streams and back", "install ffmpeg for video")
    return Check("machine", "ffmpeg", "ok", found)
