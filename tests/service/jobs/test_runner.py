from __future__ import annotations

import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Picture, codecs, memory, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.schedule import Priority
from upconv.runtime.session import Tensor
from upconv.service.jobs.folder import opened
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import picture_name
from upconv.service.parameters import UpscaleQuery

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def own(running: Callable[..., Any], nearest_x2: Path) -> Iterator[Any]:
    """A service that keeps results for 500 seconds."""
    with running(models=(nearest_x2,), workers=1, job_ttl_s=500.0) as service:
        yield service


def test_a_picture_that_ends_the_process_five_times_fails_and_can_be_tried_again(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], tmp_path: Path, wait_until: Wait
) -> None:
    begun_before = {"a": 0, "b": 4, "c": 5, "d": 9}
    with opened(tmp_path) as storage:
        for id, attempts in begun_before.items():
            storage.files.write(picture_name(id), encoded())
            storage.store.add(Job(id, "", UpscaleQuery(model="nearest-x2-test"), "f", 10, time.time(), attempts=attempts))
    with client_with(jobs_dir=tmp_path) as client:
        wait_until(lambda: client.state.jobs.waiting == 0)
        jobs = {id: client.get(f"/v1/jobs/{id}").json() for id in begun_before}
        assert {id: job["state"] for id, job in jobs.items()} == {"a": "done", "b": "done", "c": "failed", "d": "failed"}
        assert jobs["c"]["error"]["status"] == 500
        assert "the service crashed 5 times" in jobs["c"]["error"]["detail"]
        assert client.post("/v1/jobs/c/retry").status_code == 202
        wait_until(lambda: client.get("/v1/jobs/c").json()["state"] == "done")


def _paused_or_over(service: Any, id: str) -> bool:
    job = service.state.jobs.storage.store.get(id)
    return bool(job.over or job.troubles)


def test_a_job_waits_for_address_space(
    own: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    id = own.post("/v1/jobs?scale=16", content=encoded()).json()["id"]
    wait_until(lambda: own.state.jobs.waiting == 0)
    assert own.get(f"/v1/jobs/{id}").json()["state"] == "done"
    needed = memory.room_bytes() + 320 * 192 * 20
    for free, state in ((needed - 1, "queued"), (needed, "done")):
        monkeypatch.setattr(memory, "address_space_bytes", lambda free=free: free)
        id = own.post("/v1/jobs?scale=16", content=encoded()).json()["id"]
        wait_until(partial(_paused_or_over, own, id))
        job = own.get(f"/v1/jobs/{id}").json()
        assert job["state"] == state
        assert (job["error"] or {}).get("type") == ("/docs#no-memory" if state == "queued" else None)
        own.delete(f"/v1/jobs/{id}")


def test_trouble_with_the_disk_is_waited_out(
    own: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    storage = own.state.jobs.storage
    files, write = storage.files, storage.files.write

    def full(name: str, data: bytes) -> None:
        if name.endswith(".out"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(name, data)

    monkeypatch.setattr(files, "write", full)
    id = own.post("/v1/jobs", content=encoded()).json()["id"]
    wait_until(lambda: storage.store.get(id).troubles == 2)
    waiting = own.get(f"/v1/jobs/{id}").json()
    assert waiting["state"] == "queued"
    assert (waiting["error"]["type"], "No space left on device" in waiting["error"]["detail"]) == ("/docs#no-room", True)
    assert storage.store.get(id).due == pytest.approx(time.time() + 2, abs=1)
    assert files.exists(picture_name(id))
    monkeypatch.setattr(files, "write", write)
    assert own.post(f"/v1/jobs/{id}/retry").status_code == 202, "the operator made room and does not wait"
    wait_until(lambda: own.get(f"/v1/jobs/{id}").json()["state"] == "done")
    assert own.get(f"/v1/jobs/{id}").json()["error"] is None


def test_a_result_is_computed_once_even_if_the_database_is_locked_when_it_is_ready(
    own: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Wait
) -> None:
    id = own.post("/v1/jobs", content=encoded()).json()["id"]
    wait_until(lambda: gate.tiles == 1)
    with closing(sqlite3.connect(own.state.jobs.storage.files.folder.parent / "jobs.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        gate.opened.set()
        wait_until(lambda: "results" in own.state.supervisor.failing)
        assert [each["task"] for each in own.get("/readyz").json()["failing"]] == ["results"]
        assert 'upconv_background_failing{task="results"} 1.0' in own.get("/metrics").text
        assert 'upconv_background_failures_total{task="results"}' in own.get("/metrics").text
        assert own.post("/v1/upscale", content=encoded()).status_code == 200, "pictures are served"
        tiles = gate.tiles
        other.execute("COMMIT")
    wait_until(lambda: own.get(f"/v1/jobs/{id}").json()["state"] == "done")
    wait_until(lambda: own.get("/readyz").json()["failing"] == [])
    assert gate.tiles == tiles


def test_a_job_that_takes_too_long_fails_with_its_true_progress(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    run, begun, go_on = LocalExecutor.run, list[int](), threading.Event()

    def one_then_wait(executor: LocalExecutor, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        begun.append(1)
        assert len(begun) == 1 or go_on.wait(20)
        return run(executor, tensor, cancellation)

    with client_with(job_timeout_s=0.5) as client:
        monkeypatch.setattr(LocalExecutor, "run", one_then_wait)
        id = client.post("/v1/jobs?scale=4", content=encoded()).json()["id"]
        wait_until(lambda: client.get(f"/v1/jobs/{id}").json()["state"] == "failed")
        job = client.get(f"/v1/jobs/{id}").json()
        go_on.set()
    assert (job["error"]["type"], job["progress"]) == ("/docs#too-long", {"done": 1, "total": 2})
    assert "longer than the 0.5 s" in job["error"]["detail"]


def test_a_result_is_kept_as_long_as_set(own: Any, encoded: Callable[..., bytes], wait_until: Wait) -> None:
    id = own.post("/v1/jobs", content=encoded()).json()["id"]
    wait_until(lambda: own.get(f"/v1/jobs/{id}").json()["state"] == "done")
    job = own.get(f"/v1/jobs/{id}").json()
    finished, expires = (datetime.fromisoformat(job[name]) for name in ("finished", "expires"))
    assert (expires - finished).total_seconds() == pytest.approx(500, abs=0.01)


def opacity(kind: str) -> np.ndarray:
    """Pixels (12, 20, 4) whose opacity is none, the same everywhere, or of a shape."""
    samples = np.full((12, 20, 4), 200, np.uint8)
    samples[:6, :, 3] = 100 if kind == "shaped" else 200
    return samples[..., :3] if kind == "none" else samples


@pytest.mark.parametrize(("kind", "total"), [("none", 2), ("even", 2), ("shaped", 4)])
def test_progress_counts_the_tiles_of_shaped_opacity_as_well(
    kind: str, total: int, own: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    picture = codecs.encode(Picture(opacity(kind)), "png")[0]
    run, begun, go_on = LocalExecutor.run, list[int](), threading.Event()

    def one_then_wait(executor: LocalExecutor, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        begun.append(1)
        assert len(begun) == 1 or go_on.wait(20)
        return run(executor, tensor, cancellation)

    def job() -> dict[str, Any]:
        answer: dict[str, Any] = own.get(f"/v1/jobs/{id}").json()
        return answer

    monkeypatch.setattr(LocalExecutor, "run", one_then_wait)
    id = own.post("/v1/jobs?scale=4", content=picture).json()["id"]
    wait_until(lambda: job()["progress"]["done"] == 1)
    assert job()["progress"] == {"done": 1, "total": total}
    go_on.set()
    wait_until(lambda: job()["state"] == "done")
    assert own.get(f"/v1/jobs/{id}/result").headers["x-upconv-tiles"] == str(total)


def test_a_job_gives_way_to_requests(
    own: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    given: list[Priority] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        given.append(options["priority"])
        return process(*arguments, **options)

    monkeypatch.setattr("upconv.service.jobs.runner.process", watched)
    id = own.post("/v1/jobs", content=encoded()).json()["id"]
    wait_until(lambda: own.get(f"/v1/jobs/{id}").json()["state"] == "done")
    assert given == [Priority.BACKGROUND]
