from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.main import get_command

from upconv.cli.export import export
from upconv.cli.option_types import box
from upconv.cli.tune import tune
from upconv.runtime.errors import ParameterError


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


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None, None), (None, None, "stretch")),
        ((3, 4, None, None), (3, 4, "stretch")),
        ((None, None, "1920x1080", None), (1920, 1080, "fit")),
        ((None, None, None, "7x9"), (7, 9, "fill")),
    ],
)
def test_the_size_that_options_state(given: Any, expected: tuple[Any, ...]) -> None:
    assert box(*given) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((3, None, "4x4", None), "give only one of --fit, --fill"),
        ((None, None, "4x4", "4x4"), "give only one of --fit, --fill"),
        ((None, None, "4", None), "--fit must be a width and a height in pixels, such as 1920x1080, not 4"),
        ((None, None, None, "0x4"), "--fill must be a width and a height"),
        ((None, None, "4X4", None), "--fit must be"),
    ],
)
def test_sizes_that_are_not_one(given: Any, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        box(*given)
