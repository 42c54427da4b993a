from __future__ import annotations

import os
from pathlib import Path

import pytest

from upconv.runtime import cores
from upconv.runtime.cores import available_cores, instruction_sets, int8_saturates, processor


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_cores_are_those_of_the_container(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert available_cores(tmp_path) == cores


def test_a_system_without_affinities_and_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_cores(tmp_path / "no such folder") == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores(tmp_path / "no such folder") == 1


def test_the_processor_is_named_as_linux_describes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "CPUINFO", tmp_path / "cpuinfo")
    assert processor()
    assert instruction_sets() == ()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: B\nflags\t\t: fpu avx512_vnni avx2 avx512_vnni2\n")
    assert processor() == "A: B"
    assert instruction_sets() == ("avx2", "avx512_vnni")


@pytest.mark.parametrize(
    ("flags", "saturates"),
    [("", False), ("avx2", True), ("avx2 avx512f", True), ("avx2 avx_vnni", False), ("avx2 avx512f avx512_vnni", False)],
)
def test_int8_saturates_without_vnni(flags: str, saturates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : fpu {flags}\n")
    monkeypatch.setattr(cores, "CPUINFO", tmp_path / "cpuinfo")
    assert int8_saturates() == saturates
