from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Picture, codecs, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.schedule import Priority
from upconv.runtime.session import Tensor
from upconv.service.jobs.folder import opened
from upconv.service.jobs.job import Job
from upconv.service.parameters import UpscaleQuery

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def own(running: Callable[..., Any], nearest_x2: Path) -> Iterator[Any]:
    """A service that keeps results for 500 seconds."""
    with running(models=(nearest_x2,), workers=1, job_ttl_s=500.0) as service:
        yield service


def test_a_picture_that_ends_the_process_three_times_is_not_tried_again(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], tmp_path: Path, wait_until: Wait
) -> None:
    begun_before = {"a": 0, "b": 2, "c": 3, "d": 9}
    with opened(tmp_path) as folder:
        for id, attempts in begun_before.items():
            folder.write(folder.picture(id), encoded())
            folder.store.add(Job(id, "", UpscaleQuery(model="nearest-x2-test"), "f", 10, 1.0, attempts=attempts))
    with client_with(jobs_dir=tmp_path) as client:
        wait_until(lambda: client.state.jobs.waiting == 0)
        jobs = {id: client.get(f"/v1/jobs/{id}").json() for id in begun_before}
    assert {id: job["state"] for id, job in jobs.items()} == {"a": "done", "b": "done", "c": "failed", "d": "failed"}
    assert jobs["c"]["error"]["status"] == 422
    assert "the service ended 3 times while it worked on this picture" in jobs["c"]["error"]["detail"]


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
