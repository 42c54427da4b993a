"""Faults of disks and of the database of jobs."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.system.chaos.conftest import Endures

DATABASE = "jobs.sqlite3"


def fill(folder: Path) -> Path:
    """Fill the file system of a folder to the last byte."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return ballast


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Return whether a condition becomes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return met


@pytest.mark.parametrize("seconds", [1, 6, 12])
def test_database_locked(endures: Endures, seconds: int) -> None:
    with endures() as service:
        service.submit(3)
        with closing(sqlite3.connect(service.jobs / DATABASE, isolation_level=None)) as backup:
            backup.execute("BEGIN EXCLUSIVE")
            service.submit(1)
            assert service.upscale() == 200
            time.sleep(seconds)
            assert service.alive()
            backup.execute("COMMIT")
        assert service.recovered()
        assert service.submit(1) == 1


def test_database_locked_for_reading_by_a_backup(endures: Endures) -> None:
    with endures() as service, closing(sqlite3.connect(service.jobs / DATABASE)) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM jobs").fetchall()
        assert service.submit(3) == 3
        time.sleep(3)
        assert service.upscale() == 200


@pytest.mark.parametrize("when", ["before the jobs", "while they run"])
def test_disk_of_jobs_full(endures: Endures, small_disk: Path, when: str) -> None:
    with endures(jobs_dir=small_disk / "jobs") as service:
        if when == "while they run":
            service.submit(6)
        ballast = fill(small_disk)
        service.submit(3)
        assert service.upscale() == 200
        time.sleep(4)
        assert service.alive()
        ballast.unlink()
        assert service.recovered()
        service.submit(1)


def test_disk_of_jobs_full_at_the_start(endures: Endures, small_disk: Path) -> None:
    (small_disk / "jobs").mkdir()
    ballast = fill(small_disk)
    with endures(jobs_dir=small_disk / "jobs") as service:
        assert service.upscale() == 200
        assert service.submit(1) == 0
        ballast.unlink()
        assert until(lambda: service.submit(1) == 1), "jobs are accepted once there is room"


def test_disk_of_jobs_read_only(endures: Endures, small_disk: Path) -> None:
    with endures(jobs_dir=small_disk / "jobs") as service:
        service.submit(3)
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=False)
        service.submit(1)
        time.sleep(3)
        assert service.upscale() == 200
        subprocess.run(["mount", "-o", "remount,rw,size=96m", small_disk], check=True)
        assert service.recovered()


def test_temporary_folder_full(endures: Endures, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(small_disk))
    with endures() as service:
        ballast = fill(small_disk)
        service.submit(3)
        assert service.upscale() in (200, 503)
        time.sleep(2)
        ballast.unlink()
        assert service.recovered()


def test_temporary_folder_deleted(endures: Endures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with endures() as service:
        shutil.rmtree(folder)
        service.submit(3)
        assert service.upscale() in (200, 503)
        folder.mkdir(exist_ok=True)
        assert service.recovered()


def test_folder_of_pictures_deleted_while_empty(endures: Endures) -> None:
    with endures() as service:
        assert service.recovered()
        for folder in service.jobs.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
        time.sleep(0.5)
        service.submit(3)
        assert service.upscale() == 200
        assert service.recovered()


def test_write_ahead_log_deleted_between_two_runs(endures: Endures) -> None:
    with endures() as service:
        service.submit(2)
        service.finish()
        service.kill()
        for path in service.jobs.glob(f"{DATABASE}-*"):
            if path.stat().st_size == 0:
                path.unlink()
        service.start()
        service.submit(2)


def test_cache_folder_deleted(endures: Endures, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with endures(cache_dir=folder) as service:
        assert service.upscale() == 200
        shutil.rmtree(folder)
        assert service.upscale() == 200
        assert service.upscale(scale=3) == 200


def test_cache_folder_replaced_by_a_file(endures: Endures, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with endures(cache_dir=folder) as service:
        shutil.rmtree(folder)
        folder.write_text("no folder")
        assert service.upscale() == 200
        folder.unlink()
        assert service.upscale() == 200


@pytest.mark.parametrize("change", ["cut", "altered", "emptied"])
def test_cached_result(endures: Endures, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "cache"
    with endures(cache_dir=folder) as service:
        first = service.client.post("/v1/upscale", content=service.picture)
        for path in (path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            path.write_bytes({"cut": data[:-100], "altered": data[:-100] + b"\0" * 100, "emptied": b""}[change])
        again = service.client.post("/v1/upscale", content=service.picture)
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])


def test_cache_disk_full(endures: Endures, small_disk: Path) -> None:
    with endures(cache_dir=small_disk / "cache") as service:
        ballast = fill(small_disk)
        assert service.upscale() == 200
        ballast.unlink()
        assert service.upscale() == 200
        assert service.client.post("/v1/upscale", content=service.picture).headers.get("x-upconv-cache") == "hit"


def test_picture_of_a_queued_job_deleted(endures: Endures) -> None:
    """A picture that is gone cannot be computed; the job says so, and the others go on."""
    with endures() as service:
        service.submit(4, scale=16)
        job = service.client.post("/v1/jobs", content=service.picture).json()["id"]
        for path in service.jobs.rglob(f"*{job}*"):
            path.unlink()
        service.submit(2)
        assert until(lambda: service.client.get(f"/v1/jobs/{job}").json()["state"] == "failed")
