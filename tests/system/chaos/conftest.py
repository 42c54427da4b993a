"""The table of all injected faults, which `scripts/chaos` prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from tests.system.chaos.faulty_service import FaultyService, Row, faulty_service

from upconv.runtime import Picture, codecs

ROWS = pytest.StashKey[list[Row]]()

Endures = Callable[..., AbstractContextManager[FaultyService]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder: together they take a quarter of an hour."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def endures(request: pytest.FixtureRequest, nearest_x2: Path, tmp_path: Path) -> Endures:
    """Run a service around a fault, and check at the end that nothing was lost. The name of the test is that of the fault."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    row = Row(name)
    request.config.stash.setdefault(ROWS, []).append(row)
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    picture = codecs.encode(Picture(noise), "png")[0]

    def run(models: tuple[Path, ...] = (), **settings: object) -> AbstractContextManager[FaultyService]:
        return faulty_service(row, (*models, nearest_x2), picture, tmp_path, **settings)

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB; jobs are refused if less than 64 MiB are free."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("injected faults")
    terminalreporter.write_line(f"{'fault':76} ended  accepted  lost  SIGTERM")
    for row in rows:
        stopped = "" if row.stop_s is None else f"{row.stop_s:6.1f} s"
        terminalreporter.write_line(f"{row.fault[:76]:76} {row.ended:5}  {row.accepted:8}  {row.lost:4}  {stopped}")
    totals = sum(row.ended for row in rows), sum(row.accepted for row in rows), sum(row.lost for row in rows)
    longest = max((row.stop_s or 0.0 for row in rows), default=0.0)
    terminalreporter.write_line(f"{f'{len(rows)} faults':76} {totals[0]:5}  {totals[1]:8}  {totals[2]:4}  {longest:6.1f} s")
