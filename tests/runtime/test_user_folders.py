from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.user_folders import cache_folder, state_folder


def test_the_folders_are_those_of_the_environment_or_the_usual_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert (cache_folder(), state_folder()) == (tmp_path / "cache" / "upconv", tmp_path / "state" / "upconv")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert (cache_folder(), state_folder()) == (tmp_path / ".cache" / "upconv", tmp_path / ".local" / "state" / "upconv")
