from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Command = Callable[..., CompletedProcess[str]]


def test_a_sample_of_cases_becomes_a_page_and_json(command: Command, tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "all.json"
    done = command("parity", "operators", "--sample", 1, "--seed", 3, "-o", page, "--results", results, "--json")
    assert done.returncode == 0, done.stderr
    assert "upconv parity operators --sample 1" in page.read_text()
    written = json.loads(results.read_text())
    assert len({result["case"] for result in written}) == 1
    assert json.loads(done.stdout) == written
    assert "1 of 1 cases" in done.stderr


def test_a_sample_of_no_case_is_refused(command: Command) -> None:
    done = command("parity", "operators", "--sample", 0)
    assert done.returncode == 2
    assert "Invalid value for '--sample'" in done.stderr
    assert done.stderr.strip().endswith("; see --help")
