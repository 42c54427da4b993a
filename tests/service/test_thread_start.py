from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from upconv.runtime import memory
from upconv.service import thread_start
from upconv.service.thread_start import ROOM_BYTES

HANGS = """
import _thread, resource, sys, threading
from pathlib import Path
from upconv.runtime import memory
from upconv.service import thread_start

thread_start.refuse_without_room()
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    print("started")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("free", "said"),
    [(9 * 2**20, "can't start new thread"), (ROOM_BYTES - 2**20, "can't start"), (ROOM_BYTES + 2**22, "started")],
)
def test_a_thread_needs_room(free: int, said: str) -> None:
    command = [sys.executable, "-c", HANGS, str(free)]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.startswith(said)


@pytest.fixture
def _guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # restores it
    thread_start.refuse_without_room()


class Broken(threading.Thread):
    """A thread that gets no memory to report itself."""

    def _bootstrap(self) -> None:
        raise MemoryError


@pytest.mark.usefixtures("_guarded")
def test_a_thread_that_does_not_report_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_start, "REPORT_S", 0.05)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    broken = Broken()
    with pytest.raises(RuntimeError, match="did not report itself"):
        broken.start()
    assert not broken.is_alive()


@pytest.mark.usefixtures("_guarded")
def test_a_thread_starts_once() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()


@pytest.mark.usefixtures("_guarded")
def test_without_a_limit_all_threads_start(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [threading.Thread(target=int) for _ in range(2)]
    threads[0].start()
    monkeypatch.setattr(memory, "address_space_bytes", lambda: ROOM_BYTES - 1)
    with pytest.raises(RuntimeError, match="no room for it"):
        threads[1].start()
    monkeypatch.setattr(memory, "address_space_bytes", lambda: ROOM_BYTES)
    threads[1].start()
    for thread in threads:
        thread.join()
