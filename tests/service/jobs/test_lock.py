from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from upconv.service.jobs.lock import lock


def test_one_file_is_locked_once(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as first, (tmp_path / "lock").open("w") as second:
        lock(first)
        with pytest.raises(OSError, match="unavailable"):
            lock(second)
    with (tmp_path / "lock").open("w") as again:
        lock(again)


def test_windows_locks_a_byte_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int, int]] = []
    windows = SimpleNamespace(LK_NBLCK=2, locking=lambda *arguments: calls.append(arguments))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    with (tmp_path / "lock").open("w") as file:
        lock(file)
        assert calls == [(file.fileno(), 2, 1)]


def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fcntl", "msvcrt"):
        monkeypatch.setitem(sys.modules, name, None)
    with (tmp_path / "lock").open("w") as file:
        lock(file)
