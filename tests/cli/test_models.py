from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from upconv.models import CATALOGUE, DEFAULT

Command = Callable[..., CompletedProcess[str]]


def test_the_list_as_json_has_every_entry_and_one_default(command: Command) -> None:
    rows = json.loads(command("models", "--json").stdout)
    assert [row["name"] for row in rows] == list(CATALOGUE)
    assert [row["name"] for row in rows if row["default"]] == [DEFAULT]
    for row in rows:
        assert (row["artifact"] is None) == (not CATALOGUE[row["name"]].artifact.exists())


def test_the_table_marks_the_default_and_the_weights(command: Command) -> None:
    lines = command("models").stdout.splitlines()
    assert lines[0].split()[-1] == "summary"
    assert len(lines) == 1 + len(CATALOGUE)
    table = {line.split()[0]: line for line in lines[1:]}
    assert f"{DEFAULT} (default)" in table[DEFAULT]
    assert f"{CATALOGUE[DEFAULT].psnr_y:.2f} dB" in table[DEFAULT]
    assert "no weights" in table["nearest-x2"]
    assert "random weights" in table["dcgan"]


def test_evaluate_prints_a_row_for_each_method(command: Command) -> None:
    data = Path(__file__).parents[1] / "data"
    lines = command("models", "evaluate", "nearest-x2", "--data", data, "--jpeg", 75).stdout.splitlines()
    assert lines[0] == "2 photographs, x2, JPEG 75"
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert rows["nearest-x2"] == rows["nearest"]
    assert float(rows["lanczos"][0]) > float(rows["nearest"][0])
