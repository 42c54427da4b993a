from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.service.postgres import PostgresServer

from upconv.service.jobs.folder import opened
from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import picture_name, result_name
from upconv.service.jobs.postgres_database import PostgresDatabase
from upconv.service.jobs.storage import JobStorage
from upconv.service.jobs.store import JobStore
from upconv.service.parameters import UpscaleQuery


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[JobStorage]:
    with opened(tmp_path) as storage:
        yield storage


@pytest.fixture
def shared(tmp_path: Path, postgres: PostgresServer) -> Iterator[JobStorage]:
    store = JobStore(PostgresDatabase(postgres.url()), 0.3)
    yield JobStorage(store, FolderFiles(tmp_path / "shared"))
    store.close()


def job(id: str) -> Job:
    return Job(id, "", UpscaleQuery(), "f", 1, 1.0)


def claimed(storage: JobStorage) -> Job:
    found = storage.store.claim()
    assert found is not None
    return found


def test_jobs_that_ran_when_the_process_ended_are_queued_with_a_growing_pause(storage: JobStorage) -> None:
    for id in ("a", "b"):
        storage.store.add(job(id))
    for pause in (1.0, 2.0, 4.0):
        assert {each.id for each in iter(storage.store.claim, None) if each} == {"a", "b"}
        storage.recover(active={"b"})
        recovered = storage.store.get("a")
        assert recovered is not None
        assert recovered.state == "queued"
        assert recovered.due == pytest.approx(time.time() + pause, abs=0.5)
        assert storage.store.claim() is None, "it pauses"
        for each in (recovered, *storage.store.running()):
            storage.store.database.write("UPDATE jobs SET state = 'queued', due = 0 WHERE id = ?", each.id)


def test_only_jobs_of_silent_replicas_are_given_back(shared: JobStorage) -> None:
    shared.store.add(job("a"))
    claimed(shared)
    shared.recover()
    assert [each.state for each in (shared.store.get("a"),) if each] == ["running"]
    time.sleep(0.35)
    shared.recover(active={"a"})
    assert [each.state for each in (shared.store.get("a"),) if each] == ["running"]
    shared.recover()
    recovered = shared.store.get("a")
    assert recovered is not None
    assert (recovered.state, recovered.attempts) == ("queued", 1)
    assert recovered.due == pytest.approx(shared.store.now() + 1, abs=0.5)


@pytest.mark.parametrize("which", ["storage", "shared"])
def test_a_late_start_leaves_the_files_of_a_later_one(request: pytest.FixtureRequest, which: str) -> None:
    storage: JobStorage = request.getfixturevalue(which)
    storage.store.add(job("a"))
    storage.files.write(picture_name("a"), b"picture")
    early = claimed(storage)
    storage.settle(replace(early, state="queued"))
    later = claimed(storage)
    storage.files.write(result_name(later), b"of the later one")
    storage.files.write(result_name(early), b"of the early one")
    assert not storage.settle(replace(early, state="done"))
    assert storage.files.exists(picture_name("a"))
    assert storage.settle(replace(later, state="done"))
    assert not storage.files.exists(picture_name("a"))
    assert not storage.files.exists(result_name(early))
    assert storage.files.read(result_name(later)) == b"of the later one"


def test_nothing_is_left_of_a_job_that_was_deleted_while_it_ran(storage: JobStorage) -> None:
    storage.store.add(job("a"))
    storage.files.write(picture_name("a"), b"picture")
    running = claimed(storage)
    storage.store.delete("a")
    storage.files.write(result_name(running), b"result")
    assert not storage.settle(replace(running, state="done"))
    assert not storage.files.exists(picture_name("a"))
    assert not storage.files.exists(result_name(running))


def test_strays_are_those_without_a_row(storage: JobStorage) -> None:
    storage.store.add(job("kept"))
    for name in ("kept.in", "stray.in"):
        storage.files.write(name, b"data")
    storage.remove_strays(100.0)
    assert storage.files.exists("stray.in")
    storage.remove_strays(-1.0)
    assert [storage.files.exists(name) for name in ("kept.in", "stray.in")] == [True, False]
