from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.jobs.folder import opened


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path), pytest.raises(ParameterError, match=r"another process.*--jobs-dir"), opened(tmp_path):
        pass
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with opened(None) as first, opened(None) as second:
        assert (first.path, first.lasting) == (tmp_path / "upconv" / "jobs", True)
        assert (second.path.exists(), second.lasting) == (True, False)
    assert not second.path.exists()


@pytest.mark.parametrize("what", ["file", "no database"])
def test_unusable(tmp_path: Path, what: str) -> None:
    path = tmp_path / "jobs"
    if what == "file":
        path.write_text("")
    else:
        path.mkdir()
        (path / "jobs.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(ParameterError, match="cannot be used"), opened(path):
        pass


def test_files(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        folder.write(folder.result("a"), b"one")
        folder.write(folder.result("a"), b"two")
        assert folder.result("a").read_bytes() == b"two"
        (folder.path / "spool" / "b.in.part").write_bytes(b"half")
        folder.recover()
        assert list((folder.path / "spool").iterdir()) == [], "no job, no file"
    with pytest.raises(sqlite3.ProgrammingError):
        folder.store.ids()
