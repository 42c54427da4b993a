"""The export of a folder of models, for `upconv export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from rich.table import Table

from upconv.cli.console_text import plain_console
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.export.model_folder import Export, ModelOutcome

Verbosity = Literal["quiet", "usual", "json"]
"""Errors only, a table, or JSON only."""


def check_folder(source: str, output: Path, stated: Sequence[str]) -> None:
    """Raise `ParameterError` if options are for one model, or if `output` is a file. `stated` names the options."""
    if stated:
        raise ParameterError(f"{' and '.join(stated)} cannot be given for all models of {source}; export that model alone")
    if output.is_file() or (output.suffix == ".onnx" and not output.is_dir()):
        raise ParameterError(f"{source} is a folder; give a folder with --output, not the file {output}")
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to make {output.name} in; create it first")


def export_models(folder: Path, output: Path, export: Export, verbosity: Verbosity) -> None:
    """Export every model of a folder and print the outcomes. Exits with 1 if one of them failed."""
    from upconv.export.model_folder import export_folder, find_models

    tasks = find_models(folder, output)
    outcomes = []
    for number, outcome in enumerate(export_folder(tasks, export), start=1):
        outcomes.append(outcome)
        if verbosity == "usual":
            print(f"[{number}/{len(tasks)}] {outcome.task.source}  {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
    _print(outcomes, verbosity)
    if any(outcome.artifact is None for outcome in outcomes):
        raise typer.Exit(1)


def _print(outcomes: Sequence[ModelOutcome], verbosity: Verbosity) -> None:
    if verbosity == "json":
        print(json.dumps({"version": 1, "models": [outcome.as_dict() for outcome in outcomes]}, indent=2))
        return
    if verbosity == "quiet":
        for outcome in outcomes:
            if outcome.reason is not None:
                print(f"error: {outcome.reason}", file=sys.stderr)
        return
    plain_console(width=1000).print(table(outcomes))
    done = sum(outcome.artifact is not None for outcome in outcomes)
    print(f"{done} of {len(outcomes)} models exported")


def table(outcomes: Sequence[ModelOutcome]) -> Table:
    """Return the outcomes as a table with one row for each model."""
    shown = Table("name", "task", "scale", "seconds", "result", box=None, pad_edge=False)
    for outcome in outcomes:
        row = outcome.as_dict()
        scale = f"x{row['scale']}" if row["scale"] else "-"
        result = outcome.reason or str(outcome.task.output)
        shown.add_row(row["name"], row["task"] or "-", scale, f"{outcome.seconds:.1f}", result)
    return shown
