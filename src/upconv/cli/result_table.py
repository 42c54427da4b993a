"""The table of a run over many pictures, as CSV or Parquet: a row for each picture, in the order in which they end."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from upconv.runtime.codecs.files import output_error
from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command

if TYPE_CHECKING:
    from upconv.runtime.folders import FileResult

COLUMNS = {
    "source": "string",
    "result": "string",
    "status": "string",
    "error": "string",
    "model": "string",
    "seconds": "double",
    "width": "int64",
    "height": "int64",
    "pixels_in": "int64",
    "result_width": "int64",
    "result_height": "int64",
    "pixels_out": "int64",
    "conversions": "string",
}
"""The names of the columns, and their types in Parquet. Conversions are separated by semicolons. What is unknown is empty."""
_GROUP = 5000
"""Rows of a group of Parquet, which are in memory at a time."""


class ResultTable(Protocol):
    """A table that is written while its rows come."""

    def add(self, row: dict[str, Any]) -> None:
        """Write one row, or keep it for a moment. Raises `OSError`."""

    def close(self) -> None:
        """Complete the table. Raises `OSError`."""


def open_table(path: Path) -> ResultTable | None:
    """Return the table that a path names; `None` if it ends in neither .csv nor .parquet.

    Raises `ParameterError` if the package for Parquet is missing, and `OutputError` or `MachineError` if the file cannot be written.
    """
    kind: Callable[[Path], ResultTable] | None = _KINDS.get(path.suffix.lower())
    if kind is None:
        return None
    try:
        return kind(path)
    except OSError as error:
        raise output_error(path, error) from error


def table_row(outcome: FileResult, model: str) -> dict[str, Any]:
    """Return the row of a picture, whose keys are `COLUMNS`. `model` is the model of all pictures for which none was chosen."""
    before, after = outcome.before or (None, None), outcome.after or (None, None)
    return {
        "source": _text(outcome.job.source),
        "result": _text(outcome.job.destination),
        "status": outcome.status,
        "error": None if outcome.error is None else _text(outcome.error),
        "model": model if outcome.choice is None else outcome.choice.name,
        "seconds": round(outcome.seconds, 3) if outcome.status == "done" else None,
        "width": before[0],
        "height": before[1],
        "pixels_in": _area(outcome.before),
        "result_width": after[0],
        "result_height": after[1],
        "pixels_out": _area(outcome.after),
        "conversions": "; ".join(outcome.conversions) or None,
    }


class _Csv:
    """Rows are in the file as soon as they are known."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, list(COLUMNS))
        self._writer.writeheader()

    def add(self, row: dict[str, Any]) -> None:
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """The file gets its name at the end, because it cannot be read before."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ParameterError(f"--report {path} needs the package pyarrow; {install_command('parquet')}") from error
        self._arrow: Any = pyarrow
        self._schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items()])
        self._path, self._partial = path, path.parent / f".upconv-{uuid.uuid4().hex}"
        self._writer: Any = parquet.ParquetWriter(self._partial, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) == _GROUP:
            self._write()

    def close(self) -> None:
        try:
            self._write()
            self._writer.close()
            os.replace(self._partial, self._path)
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []


_KINDS: dict[str, Callable[[Path], ResultTable]] = {".csv": _Csv, ".parquet": _Parquet}


def _text(value: object) -> str:
    """Return a text in which bytes of names that are not UTF-8 are replaced."""
    return str(value).encode("utf-8", "replace").decode()


def _area(size: tuple[int, ...] | None) -> int | None:
    return None if size is None else size[0] * size[1]
