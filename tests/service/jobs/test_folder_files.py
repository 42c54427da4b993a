from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from upconv.service.jobs.folder_files import FolderFiles


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "spool")


def test_files_without_a_job_stay_for_a_while(files: FolderFiles) -> None:
    files.remove_strays((), 100.0)  # before the first job, there is no folder
    for name in ("kept.in", "kept.3.out", "stray.in", "stray.1.out", "half.in.part", "young.in"):
        files.write(name, b"data")
        os.utime(files.path(name), (time.time() - 99, time.time() - (90 if name == "young.in" else 110)))
    files.path("lost+found").mkdir()
    files.remove_strays({"kept"}, 100.0)
    assert {path.name for path in files.folder.iterdir()} == {"kept.in", "kept.3.out", "young.in", "lost+found"}


def test_a_missing_folder_is_made_again_but_not_the_folder_around_it(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "jobs" / "spool")
    with pytest.raises(OSError, match="No such file"):
        files.check()
    (tmp_path / "jobs").mkdir()
    files.check()
    files.write("a.in", b"one")
    files.check()
    shutil.rmtree(files.folder)
    assert files.free_bytes() > 0
    files.write("a.in", b"one")
    shutil.rmtree(tmp_path / "jobs")
    with pytest.raises(OSError, match="No such file"):
        files.write("a.in", b"one")


def test_no_part_of_a_file_is_left_if_writing_fails(files: FolderFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    files.write("a.in", b"one")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        files.write("b.in", b"two")
    assert [path.name for path in files.folder.iterdir()] == ["a.in"]
