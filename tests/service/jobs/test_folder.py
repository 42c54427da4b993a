from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.errors import StorageError
from upconv.service.jobs.folder import opened
from upconv.service.jobs.job import Job
from upconv.service.parameters import UpscaleQuery


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path), pytest.raises(ParameterError, match=r"another process.*--jobs-dir"), opened(tmp_path):
        pass
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with opened(None) as first, opened(None) as second:
        assert (first.path, first.lasting) == (tmp_path / "upconv" / "jobs", True)
        assert (second.path.exists(), second.lasting) == (True, False)
    assert not second.path.exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("")
    with pytest.raises(ParameterError, match="cannot be used"), opened(tmp_path / "jobs"):
        pass


def test_files(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.write(folder.result("a"), b"one")
        folder.write(folder.result("a"), b"two")
        assert folder.result("a").read_bytes() == b"two"
    with pytest.raises(StorageError, match="is closed"):
        folder.store.ids()


def test_files_without_a_job_stay_for_a_while(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.remove_strays(100.0)  # before the first job, there is no spool folder
        folder.store.add(Job("kept", "", UpscaleQuery(), "f", 1, 1.0))
        for name in ("kept.in", "stray.in", "half.in.part", "young.in"):
            folder.write(folder.path / "spool" / name, b"data")
            os.utime(folder.path / "spool" / name, (time.time() - 99, time.time() - (90 if name == "young.in" else 110)))
        (folder.path / "spool" / "lost+found").mkdir()
        folder.remove_strays(100.0)
        assert {path.name for path in (folder.path / "spool").iterdir()} == {"kept.in", "young.in", "lost+found"}


def test_a_missing_spool_folder_is_made_again_but_not_the_folder_around_it(tmp_path: Path) -> None:
    with opened(tmp_path / "jobs") as folder:
        folder.write(folder.picture("a"), b"one")
        shutil.rmtree(tmp_path / "jobs" / "spool")
        assert folder.free_bytes() > 0
        folder.write(folder.picture("a"), b"one")
        shutil.rmtree(tmp_path / "jobs")
        with pytest.raises(OSError, match="No such file"):
            folder.write(folder.picture("a"), b"one")


def test_jobs_that_ran_when_the_process_ended_are_queued_with_a_growing_pause(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        for id in ("a", "b"):
            folder.store.add(Job(id, "", UpscaleQuery(), "f", 1, 1.0))
        for pause in (1.0, 2.0, 4.0):
            assert {job.id for job in iter(folder.store.claim, None) if job} == {"a", "b"}
            folder.recover(active={"b"})
            recovered = folder.store.get("a")
            assert recovered is not None
            assert recovered.state == "queued"
            assert recovered.due == pytest.approx(time.time() + pause, abs=0.5)
            assert folder.store.claim() is None, "it pauses"
            for job in (recovered, *folder.store.running()):
                folder.store.database.write("UPDATE jobs SET state = 'queued', due = 0 WHERE id = ?", job.id)
