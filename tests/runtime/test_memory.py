from __future__ import annotations

import errno
import math
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from upconv.runtime import memory
from upconv.runtime.errors import OutOfMemoryError
from upconv.runtime.memory import available_bytes

KEPT_MB = """
import resource, sys, threading
from pathlib import Path
import numpy as np
from upconv.runtime import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def work():
    barrier.wait()  # so that each thread has its own heap
    for _ in range(3):
        np.ones(3_000_000)

memory.lower_trim_threshold()
barrier, before = threading.Barrier(4), resident()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
memory.release_free_memory()
print(resident() - before)
"""


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 1024_000),
        ({"memory.max": "max\n", "memory.current": "5\n"}, 1024_000),
        ({"memory.max": "9000\n", "memory.current": "5000\n"}, 4000),
        ({"memory.max": "5000\n", "memory.current": "9000\n"}, 0),
        ({"memory.max": "9000000000\n", "memory.current": "0\n"}, 1024_000),
        ({"memory/memory.limit_in_bytes": "9000\n", "memory/memory.usage_in_bytes": "5000\n"}, 4000),
    ],
)
def test_the_tighter_of_machine_and_container_counts(files: dict[str, str], free: int, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    1000 kB\n")
    assert available_bytes(tmp_path, meminfo) == free


def test_a_system_that_says_nothing_has_some_memory(tmp_path: Path) -> None:
    assert available_bytes(tmp_path, tmp_path / "none") > 2**30


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries return what is free by themselves")
@pytest.mark.parametrize(
    ("environment", "kept"),
    [({}, False), ({"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=67108864:glibc.malloc.mmap_threshold=33554432"}, True)],
)
def test_freed_memory_goes_back_unless_the_environment_says_otherwise(environment: dict[str, str], kept: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KEPT_MB], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert (float(done.stdout) > 15) is kept, done.stdout


def test_elsewhere_than_on_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    memory.lower_trim_threshold()
    memory.release_free_memory()


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_other_c_libraries_are_left_alone(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: None) -> None:
        raise error

    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr("ctypes.CDLL", refuse)
    memory.lower_trim_threshold()
    memory.release_free_memory()


def test_glibc_returns_the_end_of_a_heap_from_a_megabyte_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, which: int, value: int) -> None:
            calls.append((which, value))

    monkeypatch.setattr("ctypes.CDLL", lambda name: Library())
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    memory.lower_trim_threshold()
    assert dict(calls)[-1] == 2**20  # M_TRIM_THRESHOLD


@pytest.mark.parametrize(
    ("limit", "pages", "free"),
    [
        (resource.RLIM_INFINITY, "100 50", math.inf),
        (200 * resource.getpagesize(), "100 50", 100 * resource.getpagesize()),
        (50 * resource.getpagesize(), "100 50", 0),
        (200, "", math.inf),
    ],
)
def test_the_address_space_that_is_left(
    limit: int, pages: str, free: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    statm = tmp_path / "statm"
    statm.write_text(pages)
    assert memory.address_space_bytes(statm) == free


@pytest.mark.parametrize(("free", "bytes", "enough"), [(0, 0, True), (-1, 0, False), (10, 10, True), (9, 10, False)])
def test_work_needs_room(free: int, bytes: int, enough: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "address_space_bytes", lambda: memory.room_bytes() + free)
    if enough:
        memory.expect_room(bytes)
    else:
        with pytest.raises(OutOfMemoryError, match=r"leaves \d+ MiB, but \d+ MiB are needed; raise it \(ulimit -v\)"):
            memory.expect_room(bytes)


def test_each_picture_needs_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_cores", lambda: 3)
    assert [memory.room_bytes(count) - memory.RESERVE_BYTES for count in (0, 1, 2)] == [0, 4 * 72 * 2**20, 8 * 72 * 2**20]


@pytest.mark.parametrize(
    ("error", "free"),
    [(MemoryError(), 0), (OSError(errno.ENOMEM, "no memory"), 0), (FileNotFoundError(errno.ENOENT, "no"), math.inf)],
)
def test_no_memory_to_look_for_memory(error: Exception, free: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> str:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**30, resource.RLIM_INFINITY))
    monkeypatch.setattr(Path, "read_text", fail)
    assert memory.address_space_bytes() == free
