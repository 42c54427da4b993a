from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.errors import StorageError
from upconv.service.jobs.folder import opened


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path), pytest.raises(ParameterError, match=r"another process.*--jobs-dir"), opened(tmp_path):
        pass
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with opened(None) as first, opened(None) as second:
        spool = second.files.path("")
        assert (first.files.path(""), first.lasting) == (tmp_path / "upconv" / "jobs" / "spool", True)
        assert spool is not None
        assert (spool.parent.exists(), second.lasting) == (True, False)
    assert not spool.parent.exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("")
    with pytest.raises(ParameterError, match="cannot be used"), opened(tmp_path / "jobs"):
        pass


def test_the_store_is_closed_at_the_end(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        assert storage.store.ids() == set()
    with pytest.raises(StorageError, match="is closed"):
        storage.store.ids()
