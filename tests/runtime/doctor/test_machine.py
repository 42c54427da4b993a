from __future__ import annotations

import math
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from upconv.runtime.doctor import machine
from upconv.runtime.doctor.check import Check
from upconv.runtime.doctor.machine import FEW_FILES, LITTLE_DISK, LITTLE_MEMORY, machine_checks


def check(name: str) -> Check:
    return next(each for each in machine_checks() if each.name == name)


def test_nothing_about_the_machine_is_required() -> None:
    checks = list(machine_checks())
    assert [each.name for each in checks] == ["cores", "memory", "address space", "open files", "temporary files", "ffmpeg"]
    assert not any(each.required for each in checks)


@pytest.mark.parametrize(("free", "state"), [(LITTLE_MEMORY, "ok"), (LITTLE_MEMORY - 1, "low")])
def test_little_memory(free: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.runtime.memory.available_bytes", lambda: free)
    assert check("memory").state == state
    assert bool(check("memory").advice) is (state == "low")


@pytest.mark.parametrize(("limit", "state"), [(FEW_FILES, "ok"), (FEW_FILES - 1, "low"), (resource.RLIM_INFINITY, "ok")])
def test_few_open_files(limit: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    assert check("open files").state == state


@pytest.mark.parametrize(("free", "state"), [(LITTLE_DISK, "ok"), (LITTLE_DISK - 1, "low")])
def test_little_disk(free: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=free))
    assert check("temporary files").state == state


@pytest.mark.parametrize(("free", "state"), [(math.inf, "ok"), (1000, "low")])
def test_address_space(free: float, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.runtime.memory.address_space_bytes", lambda: free)
    assert check("address space").state == state


def test_cores_that_are_withheld_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(machine, "available_cores", lambda: 2)
    assert check("cores").found.startswith("2 of 8, by affinity or the container's quota")


@pytest.mark.parametrize(("found", "state"), [("/usr/bin/ffmpeg", "ok"), (None, "missing")])
def test_ffmpeg(found: str | None, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: found)
    assert check("ffmpeg").state == state
