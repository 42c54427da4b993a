from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.memory import available_bytes


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 1024_000),
        ({"memory.max": "max\n", "memory.current": "5\n"}, 1024_000),
        ({"memory.max": "9000\n", "memory.current": "5000\n"}, 4000),
        ({"memory.max": "5000\n", "memory.current": "9000\n"}, 0),
        ({"memory.max": "9000000000\n", "memory.current": "0\n"}, 1024_000),
        ({"memory/memory.limit_in_bytes": "9000\n", "memory/memory.usage_in_bytes": "5000\n"}, 4000),
    ],
)
def test_the_tighter_of_machine_and_container_counts(files: dict[str, str], free: int, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    1000 kB\n")
    assert available_bytes(tmp_path, meminfo) == free


def test_a_system_that_says_nothing_has_some_memory(tmp_path: Path) -> None:
    assert available_bytes(tmp_path, tmp_path / "none") > 2**30
