from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime import machine_profile, providers
from upconv.runtime.machine_profile import MachineProfile, ProviderTimes

TIMES = ProviderTimes(fastest="cpu", ms_per_megapixel={"cpu": 20.0, "openvino": 30.0}, refused={"cuda": "no card"})


def test_times_are_remembered_for_the_same_file_runtime_and_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = MachineProfile(tmp_path / "new" / "machine.json")
    assert profile.times("a") is None
    profile.remember("a", TIMES)
    assert MachineProfile(tmp_path / "new" / "machine.json").times("a") == TIMES
    assert profile.times("b") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["machine.json"]
    with monkeypatch.context() as patch:
        patch.setattr(machine_profile, "processor", lambda: "another")
        assert profile.times("a") is None
    with monkeypatch.context() as patch:
        patch.setattr(machine_profile, "instruction_sets", lambda: ("another",))
        assert profile.times("a") is None
    monkeypatch.setattr(providers, "installed", lambda: ("cpu", "another"))
    assert profile.times("a") is None


def test_times_say_what_is_fastest_and_what_was_left_out() -> None:
    assert str(TIMES) == "cpu x1.50 over openvino; cuda left out: no card"
    assert TIMES.least_ms == 20


@pytest.mark.parametrize("content", ["", "no JSON", '{"times": {"a": 1}}'])
def test_a_damaged_profile_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(content)
    assert MachineProfile(path).times("a") is None
    MachineProfile(path).remember("a", TIMES)
    assert MachineProfile(path).times("a") == TIMES


def test_a_profile_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    profile = MachineProfile(tmp_path / "file" / "machine.json")
    profile.remember("a", TIMES)
    assert profile.times("a") is None


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_profile, "MOST", 2)
    profile = MachineProfile(tmp_path / "machine.json")
    for name in "abac":
        profile.remember(name, TIMES)
    assert [name for name in "abc" if profile.times(name)] == ["a", "c"]


def test_the_profile_is_in_the_folder_for_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    MachineProfile().remember("a", TIMES)
    assert MachineProfile(tmp_path / "upconv" / "machine.json").times("a") == TIMES
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    MachineProfile().remember("b", TIMES)
    assert (tmp_path / "home/.local/state/upconv/machine.json").is_file()
