from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from upconv.cli.result_rows import ResultRows
from upconv.cli.result_table import COLUMNS, open_table
from upconv.runtime.errors import OutputError, ParameterError
from upconv.runtime.folders import FileResult, FileTask
from upconv.runtime.install_hints import install_command
from upconv.runtime.model_choice import ModelChoice

OUTCOMES = [
    FileResult(FileTask(Path("a, ü.png"), Path("out/a.png")), "done", (3, 2), (6, 4), 0.12345, ("x", "y")),
    FileResult(FileTask(Path("b\udcff.png"), Path("out/b.png")), "failed", error='b: it is "empty"'),
    FileResult(FileTask(Path("c.png"), Path("out/c.png")), "skipped", (3, 2), (6, 4), choice=ModelChoice("photo", "reason")),
]
EXPECTED = [
    ("a, ü.png", "out/a.png", "done", None, "m", 0.123, 3, 2, 6, 6, 4, 24, "x; y"),
    ("b?.png", "out/b.png", "failed", 'b: it is "empty"', "m", None, None, None, None, None, None, None, None),
    ("c.png", "out/c.png", "skipped", None, "photo", None, 3, 2, 6, 6, 4, 24, None),
]


def test_a_table_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "report.CSV"
    with ResultRows("m", failures=path) as rows:
        rows.take(OUTCOMES[0])
        assert path.read_text("utf-8").count("\n") == 2, "a row is there at once"
        for outcome in OUTCOMES[1:]:
            rows.take(outcome)
    with path.open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [
            tuple(COLUMNS),
            *(tuple("" if value is None else str(value) for value in row) for row in EXPECTED),
        ]


def test_a_table_as_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("upconv.cli.result_table._GROUP", 2)
    path = tmp_path / "report.parquet"
    with ResultRows("m", failures=path) as rows:
        for outcome in OUTCOMES:
            rows.take(outcome)
        assert not path.exists(), "it cannot be read before its end"
    table = parquet.read_table(path)
    assert [tuple(row.values()) for row in table.to_pylist()] == EXPECTED
    assert table.column_names == list(COLUMNS)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_an_empty_parquet_has_its_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with ResultRows("m", failures=tmp_path / "report.parquet"):
        pass
    assert parquet.read_table(tmp_path / "report.parquet").column_names == list(COLUMNS)


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*a\.csv"):
        open_table(tmp_path / "a.csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError) as refused:
        open_table(Path("report.parquet"))
    assert str(refused.value) == f"--report report.parquet needs the package pyarrow; {install_command('parquet')}"
    assert open_table(tmp_path / "failures.jsonl") is None
