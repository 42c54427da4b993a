from __future__ import annotations

from typing import Any

import typer
from typer.main import get_command

from upconv.cli.export import export
from upconv.cli.tune import tune


def test_export_and_tune_share_the_options_of_tuning() -> None:
    described = []
    for command in (export, tune):
        app = typer.Typer()
        app.command()(command)
        command_of: Any = get_command(app)
        options = {option.name: option for option in command_of.params}
        described.append([(options[name].opts, options[name].help) for name in ("calibrate", "limit_db", "tune_s", "as_json")])
    assert described[0] == described[1]
    assert [opts for opts, _ in described[0]] == [["--calibrate"], ["--limit-db"], ["--tune-s"], ["--json"]]
