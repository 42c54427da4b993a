from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

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
def test_an_impossible_comparison_is_one_sentence(
    arguments: list[str],
    reason: str,
    command: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("compare", *arguments)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
