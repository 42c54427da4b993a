from __future__ import annotations

import json
from pathlib import Path

import pytest

from upconv.cli.result_rows import ResultRows
from upconv.runtime.errors import OutputError
from upconv.runtime.folders import FileResult, FileTask

BAD, DONE = (FileTask(Path(f"{name}.png"), Path(f"out/{name}.png")) for name in ("bad", "done"))
OUTCOMES = (FileResult(DONE, "done", (3, 2), (6, 4)), FileResult(BAD, "failed", error="bad.png: it is empty"))


def taken(rows: ResultRows) -> None:
    with rows:
        rows.ignore(Path("notes.txt"), "no picture, by its suffix")
        for outcome in OUTCOMES:
            rows.take(outcome)
        rows.print_list()


def test_lines_come_at_once_and_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    taken(ResultRows("m", lines=True))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["input"], row["status"]) for row in rows] == [
        ("notes.txt", "ignored"),
        ("done.png", "done"),
        ("bad.png", "failed"),
    ]


def test_a_list_is_sorted(capsys: pytest.CaptureFixture[str]) -> None:
    taken(ResultRows("m", listed=True))
    rows = json.loads(capsys.readouterr().out)
    assert [row["input"] for row in rows] == ["bad.png", "done.png", "notes.txt"]
    assert rows[2] == {"input": "notes.txt", "status": "ignored", "reason": "no picture, by its suffix"}


def test_failures_are_in_their_file_as_soon_as_they_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "failures.jsonl"
    with ResultRows("m", failures=path) as rows:
        for outcome in OUTCOMES:
            rows.take(outcome)
        assert json.loads(path.read_text()) == {"input": "bad.png", "output": "out/bad.png", "error": "bad.png: it is empty"}
    assert capsys.readouterr().out == ""
    with pytest.raises(OutputError, match="cannot write"):
        ResultRows("m", failures=tmp_path)
