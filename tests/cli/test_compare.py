from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-o", "page.txt"], "must end in .html"),
        (["-o", "nowhere/page.html"], "no folder nowhere"),
        (["--candidates", "magic"], "no candidate called 'magic'"),
        (["--data", "."], "belong together"),
    ],
)
def test_an_impossible_comparison_is_one_sentence(arguments: list[str], reason: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "upconv", "compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
