from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from upconv.service.jobs import sweep
from upconv.service.jobs.job_files import id_of

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "INTERVAL_S", 0.05)


def test_a_job_whose_client_went_away_is_deleted_with_its_result(
    service: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(service.state.jobs.leases, "_clock", lambda: now)
    left = service.post("/v1/jobs?lease_s=60", content=encoded())
    kept = service.post("/v1/jobs", content=encoded()).json()["id"]
    assert left.json()["lease_s"] == 60
    id, storage = left.json()["id"], service.state.jobs.storage
    wait_until(lambda: storage.store.get(id).state == "done" and storage.store.get(kept).state == "done")
    now += 59
    assert service.get(f"/v1/jobs/{id}/result").status_code == 200, "this renews the lease"
    now += 59
    time.sleep(0.2)
    assert storage.store.get(id) is not None
    now += 2
    wait_until(lambda: storage.store.get(id) is None)
    wait_until(lambda: [id_of(path.name) for path in storage.files.folder.glob("*")] == [kept])


def test_who_watches_the_events_keeps_a_job(
    service: Any, gate: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(service.state.jobs.leases, "_clock", lambda: now)
    id = service.post("/v1/jobs?lease_s=60", content=encoded()).json()["id"]
    storage = service.state.jobs.storage
    with service.stream("GET", f"/v1/jobs/{id}/events") as events:
        lines = events.iter_lines()
        next(lines)
        for _ in range(3):
            now += 50
            time.sleep(1.2)  # the stream renews the lease every second
            assert storage.store.get(id) is not None
        lines.close()
    now += 70
    wait_until(lambda: storage.store.get(id) is None)
    gate.opened.set()
    wait_until(lambda: not any(storage.files.folder.glob("*")))


def test_strays_are_removed(client_with: Callable[..., Any], wait_until: Wait) -> None:
    with client_with(job_ttl_s=100.0) as client:
        files = client.state.jobs.storage.files
        files.write("stray.in", b"data")
        stray = files.path("stray.in")
        os.utime(stray, (time.time(), time.time() - 101))
        wait_until(lambda: not stray.exists())


@pytest.mark.parametrize(("lease_s", "status"), [("4.9", 422), ("5", 202), ("86400", 202), ("86401", 422), ("nan", 422)])
def test_the_bounds_of_a_lease(client: Any, encoded: Callable[..., bytes], lease_s: str, status: int) -> None:
    answer = client.post(f"/v1/jobs?lease_s={lease_s}", content=encoded())
    assert answer.status_code == status
    if status == 202:
        client.delete(f"/v1/jobs/{answer.json()['id']}")
