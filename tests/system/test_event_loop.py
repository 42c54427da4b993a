"""The event loop of the service waits for nothing and computes nothing for long, whatever is asked of it.

A callback is judged by the processor time of its thread, because other processes of the machine stretch any other time. What
waits, such as a file or the database, is recognised by itself.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import json
import os
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from upconv.service.jobs.database import SqliteDatabase

LONGEST_S = 0.05
WAITING = {
    "open",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.scandir",
    "os.truncate",
    "shutil.copyfile",
    "shutil.rmtree",
    "socket.connect",
    "socket.getaddrinfo",
    "sqlite3.connect",
    "subprocess.Popen",
}
"""Audit events of calls that wait: https://docs.python.org/3/library/audit_events.html."""


class Watchdog:
    """Notes what keeps the watched event loops from their other callbacks."""

    def __init__(self) -> None:
        self.loops = set[int]()
        """The threads whose loops are watched."""
        self.waits: list[str] = []
        self.slow: list[str] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WAITING or threading.get_ident() not in self.loops:
            return
        if str(arguments[:1]).startswith(("('/proc/", "('/sys/")):
            return  # in memory
        callers = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_stack(None)][:30]
        self.waits.append(f"{event} {arguments!r}, called from {callers}")


WATCHDOG = Watchdog()


@pytest.fixture(scope="module", autouse=True)
def _audited() -> None:
    sys.addaudithook(WATCHDOG.audit)  # it cannot be removed, so it watches nothing after its test


@pytest.fixture
def watchdog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    run, query = asyncio.events.Handle._run, SqliteDatabase._run
    WATCHDOG.waits.clear()
    WATCHDOG.slow.clear()

    def timed(handle: asyncio.events.Handle) -> None:
        if threading.get_ident() not in WATCHDOG.loops:
            run(handle)
            return
        started, described = time.thread_time(), repr(handle)
        run(handle)
        if (seconds := time.thread_time() - started) > LONGEST_S:
            WATCHDOG.slow.append(f"{seconds:.3f} s: {described}")

    def guarded(database: SqliteDatabase, *arguments: Any) -> Any:
        if threading.get_ident() in WATCHDOG.loops:
            WATCHDOG.waits.append(f"the database: {arguments}")
        return query(database, *arguments)

    def noted(module: Any, name: str) -> None:
        call = getattr(module, name)

        def note(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() in WATCHDOG.loops:
                WATCHDOG.waits.append(f"{name} {arguments!r}")
            return call(*arguments, **options)

        monkeypatch.setattr(module, name, note)

    noted(time, "sleep")  # these raise no audit event
    noted(os, "stat")
    monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
    monkeypatch.setattr(SqliteDatabase, "_run", guarded)
    yield WATCHDOG
    WATCHDOG.loops.clear()


@pytest.fixture
def watched(
    client_with: Callable[..., Any], watchdog: Watchdog, encoded: Callable[..., bytes], tmp_path: Path
) -> Iterator[Any]:
    """A service whose event loop is watched."""
    with client_with(cache_dir=tmp_path / "cache", watch=True, watch_interval_s=0.1, admin_key="a" * 16) as client:
        everything(client, encoded)  # libraries read their tables and the source of routes once
        loop = next(thread for thread in threading.enumerate() if thread.name.endswith("(run)"))
        assert loop.ident is not None
        watchdog.loops.add(loop.ident)
        yield client
        watchdog.loops.clear()


def test_the_watchdog_barks(watchdog: Watchdog) -> None:
    async def bad() -> None:
        watchdog.loops.add(threading.get_ident())
        time.sleep(0.001)
        Path("/nowhere").exists()
        with suppress(OSError):
            Path("/nowhere/at/all").read_bytes()
        await asyncio.sleep(0)
        ends = time.thread_time() + 2 * LONGEST_S
        while time.thread_time() < ends:
            pass
        await asyncio.sleep(0)
        watchdog.loops.clear()

    asyncio.run(bad())
    assert [each.split(" (")[0] for each in watchdog.waits] == ["sleep", "stat", "open"]
    assert len(watchdog.slow) == 1


def everything(client: Any, encoded: Callable[..., bytes]) -> None:
    """Ask for all that the service does, good and bad."""
    picture = encoded("png", 300, 400)
    job = client.post("/v1/jobs?lease_s=60", content=picture).json()["id"]
    client.post("/v1/jobs", content=picture, headers={"Idempotency-Key": "same"})
    for _ in range(2):  # the second one from the cache
        assert client.post("/v1/upscale", content=picture).status_code == 200
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        assert "event: done" in "".join(events.iter_text())
    for path in ("", "/result", "/events"):
        assert client.get(f"/v1/jobs/{job}{path}").status_code == 200
    client.get(f"/v1/jobs/{job}/result", headers={"Range": "bytes=5-9"})
    client.post(f"/v1/jobs/{job}/retry")
    damaged = client.post("/v1/jobs", content=picture[:-100]).json()["id"]
    for path in (
        "/",
        "/docs",
        "/web/page.js",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/models",
        "/v2",
        "/v2/models/stats",
    ):
        assert client.get(path).status_code == 200
    client.get("/v1/jobs", headers={"Authorization": f"Bearer {'a' * 16}"})
    client.post("/v1/models/reload", headers={"Authorization": f"Bearer {'a' * 16}"})
    client.post("/v1/upscale", files={"file": picture})
    client.post("/v1/upscale", content=bytes(20_000_000))
    client.request("BREW", "/v1/jobs")
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 3, 200, 200], "data": [0.5] * 120_000}
    body = json.dumps({"inputs": [tensor]}).encode()
    assert client.post("/v2/models/nearest-x2-test/infer", content=body).status_code == 200
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    client.delete(f"/v1/jobs/{damaged}")


def test_nothing_keeps_the_event_loop_under_load(watched: Any, watchdog: Watchdog, encoded: Callable[..., bytes]) -> None:
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            with httpx.Client(base_url=watched.base_url, timeout=60) as client:
                for _ in range(3):
                    everything(client, encoded)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert failures == []
    assert watchdog.waits == []
    assert watchdog.slow == []


def test_a_locked_database_keeps_nobody_but_those_who_need_it(
    watched: Any, watchdog: Watchdog, encoded: Callable[..., bytes]
) -> None:
    id = watched.post("/v1/jobs", content=encoded()).json()["id"]
    folder, answers = watched.state.jobs.storage.files.folder.parent, list[int]()
    with closing(sqlite3.connect(folder / "jobs.sqlite3", isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: answers.append(watched.post("/v1/jobs", content=encoded()).status_code))
        waiting.start()
        for path in ("/metrics", "/healthz", "/readyz", f"/v1/jobs/{id}", "/v1/models"):
            assert httpx.get(f"{watched.base_url}{path}", timeout=20).status_code == 200
        assert answers == [], "all these came while the job still waited for the database"
        waiting.join(30)
        other.execute("COMMIT")
    assert answers == [503]
    assert watchdog.waits == []
