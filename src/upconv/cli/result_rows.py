"""The results of a run for programs: JSON, lines of JSON, and the file of failures or the table of all pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from upconv.cli.progress import outcome_row
from upconv.cli.result_table import ResultTable, open_table, table_row
from upconv.runtime.buckets import Place
from upconv.runtime.codecs.files import output_error

if TYPE_CHECKING:
    from upconv.runtime.folders import FileResult


class ResultRows:
    """Prints results as JSON, at the end or as they come, and writes failures or a table. Use it in a `with` block."""

    def __init__(self, model: str, *, lines: bool = False, listed: bool = False, failures: Path | None = None) -> None:
        """Prepare the rows of results by `model`: as `lines` at once, or `listed` at the end.

        `failures` is the file of failures. If it ends in .csv or .parquet, it is a table of all results.

        Raises `OutputError` if the file cannot be written, and `ParameterError` if a package for it is missing.
        """
        self._model, self._lines, self._listed = model, lines, listed
        self._rows: list[dict[str, Any]] = []
        self._path = failures
        self._table = None if failures is None else open_table(failures)
        self._failures = None if self._table is not None else _opened(failures)

    def take(self, outcome: FileResult) -> None:
        """Print or keep the row of one result. Raises `OutputError` or `MachineError` if a failure cannot be written."""
        if self._lines or self._listed:
            self._add(outcome_row(outcome, self._model))
        if self._table is not None:
            self._into_table(lambda table: table.add(table_row(outcome, self._model)))
        if self._failures is not None and self._path is not None and outcome.error is not None:
            row = {"input": str(outcome.job.source), "output": str(outcome.job.destination), "error": outcome.error}
            try:
                self._failures.write(json.dumps(row) + "\n")
                self._failures.flush()
            except OSError as error:
                raise output_error(self._path, error) from error

    def ignore(self, path: Place, reason: str) -> None:
        """Print or keep the row of a file that is not upscaled."""
        self._add({"input": str(path), "status": "ignored", "reason": reason})

    def print_list(self) -> None:
        """Print all rows, sorted by input, if they are wanted as a list."""
        if self._listed:
            print(json.dumps(sorted(self._rows, key=lambda row: str(row["input"])), indent=2))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._failures is not None:
            self._failures.close()
        if self._table is not None:
            self._into_table(lambda table: table.close())

    def _into_table(self, act: Callable[[ResultTable], None]) -> None:
        assert self._table is not None and self._path is not None
        try:
            act(self._table)
        except OSError as error:
            raise output_error(self._path, error) from error

    def _add(self, row: dict[str, Any]) -> None:
        if self._lines:
            print(json.dumps(row), flush=True)
        elif self._listed:
            self._rows.append(row)


def _opened(path: Path | None) -> TextIO | None:
    try:
        return None if path is None else path.open("w", encoding="utf-8")
    except OSError as error:
        assert path is not None
        raise output_error(path, error) from error
