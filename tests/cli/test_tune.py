from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from subprocess import CompletedProcess

import pytest

from upconv.models import bundled
from upconv.runtime import open_model

Command = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("output", [".", "none/tuned.onnx"])
def test_an_output_that_cannot_be_written_is_refused(command: Command, tmp_path: Path, output: str) -> None:
    done = command("tune", bundled("nearest-x2"), "-o", tmp_path / output)
    assert done.returncode == 1
    assert "give the name of a file in a folder that exists" in done.stderr


def test_the_model_itself_is_replaced_by_default(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    copy(bundled("nearest-x2"), model)
    done = command("tune", model, "--tune-s", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["contract"]["name"] == "nearest-x2"
    tuning = open_model(model).contract.tuning
    assert tuning is not None
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
