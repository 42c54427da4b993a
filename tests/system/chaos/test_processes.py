"""Signals, limits of the process, and logs that nobody reads."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.system.chaos.conftest import Endures
from tests.system.chaos.faulty_service import DRAIN_S, FaultyService


@pytest.mark.parametrize("times", [1, 3, 5])
def test_killed_while_jobs_run(endures: Endures, times: int) -> None:
    with endures() as service:
        for _ in range(times):
            service.submit(3, scale=8)
            time.sleep(0.3)
            service.kill()
            service.start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_jobs_run_and_started_again(endures: Endures, number: int) -> None:
    with endures() as service:
        service.submit(4, scale=8)
        assert service.stop(number) == 0
        assert service.row.stop_s is not None
        assert service.row.stop_s <= DRAIN_S + 1.5
        service.start()


def in_background(service: FaultyService, **query: object) -> threading.Thread:
    """Upscale a picture in a thread, and ignore the answer."""

    def ask() -> None:
        with suppress(httpx.HTTPError):
            service.upscale(**query)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "query",
    [{"scale": 16, "format": "avif"}, {"scale": 16, "format": "webp", "lossless": True}, {"scale": 16, "format": "png"}],
)
def test_stopped_while_a_large_result_is_encoded(endures: Endures, query: dict[str, object]) -> None:
    with endures() as service:
        threads = [in_background(service, **query) for _ in range(3)]
        time.sleep(1)
    for thread in threads:
        thread.join()


def test_stopped_twice(endures: Endures) -> None:
    with endures() as service:
        service.submit(2)
        service.finish()
        service.process.send_signal(signal.SIGTERM)
        assert service.stop() == 0
        service.start()


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG]
)
def test_signal(endures: Endures, number: int) -> None:
    with endures() as service:
        service.submit(2)
        for _ in range(3):
            service.process.send_signal(number)
            time.sleep(0.2)
        assert service.upscale() == 200


def test_paused_for_five_seconds(endures: Endures) -> None:
    with endures() as service:
        service.submit(3)
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        service.process.send_signal(signal.SIGCONT)
        assert service.recovered()


@pytest.mark.parametrize(
    ("limit", "bound"),
    [
        (resource.RLIMIT_FSIZE, 4096),
        (resource.RLIMIT_NOFILE, 1),
        (resource.RLIMIT_AS, 1),
        (resource.RLIMIT_AS, 32),
        (resource.RLIMIT_AS, 80),
        (resource.RLIMIT_AS, 160),
    ],
    ids=["size of files", "open files", "memory", "memory but 32 MiB", "memory but 80 MiB", "memory but 160 MiB"],
)
def test_limit_for_five_seconds(endures: Endures, limit: int, bound: int) -> None:
    with endures() as service:
        assert service.recovered()
        pid = service.process.pid
        before = resource.prlimit(pid, limit)
        now = {
            resource.RLIMIT_FSIZE: lambda: bound,
            resource.RLIMIT_NOFILE: lambda: len(os.listdir(f"/proc/{pid}/fd")) + bound,
            resource.RLIMIT_AS: lambda: 4096 * int(Path(f"/proc/{pid}/statm").read_text().split()[0]) + bound * 2**20,
        }
        resource.prlimit(pid, limit, (now[limit](), before[1]))
        threads = [in_background(service, scale=8) for _ in range(4)]
        with suppress(httpx.HTTPError):
            service.submit(2)
        time.sleep(5)
        resource.prlimit(pid, limit, before)
        for thread in threads:
            thread.join()
        assert service.recovered()
        service.submit(1)


def test_reader_of_the_log_gone(endures: Endures) -> None:
    with subprocess.Popen(["head", "-n", "0"], stdin=subprocess.PIPE) as reader:
        context = endures()
        with context as service:
            assert service.stop() == 0
            service.output = reader.stdin
            service.start()
            reader.wait()
            service.submit(2)
            assert service.upscale() == 200
            assert service.client.get("/missing").status_code == 404


def test_disk_of_the_log_full(endures: Endures) -> None:
    with endures() as service, Path("/dev/full").open("wb") as full:
        assert service.stop() == 0
        service.output = full
        service.start()
        service.submit(2)
        assert service.upscale() == 200


def test_encoder_killed(endures: Endures) -> None:
    """AVIF is encoded in a process of its own, which the kernel may kill."""
    with endures() as service:
        thread = in_background(service, scale=8, format="avif")
        service.submit(1, scale=4, format="avif")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            subprocess.run(["pkill", "-KILL", "-P", str(service.process.pid)], check=False)
            time.sleep(0.1)
        thread.join()
        assert service.recovered()
