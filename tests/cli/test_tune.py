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


@pytest.mark.parametrize(
    ("output", "sentence"),
    [(".", "is a folder"), ("none/tuned.onnx", "there is no folder"), ("tuned.pb", "must end in .onnx; give tuned.onnx")],
)
def test_an_output_that_cannot_be_written_is_refused(command: Command, tmp_path: Path, output: str, sentence: str) -> None:
    done = command("tune", bundled("nearest-x2"), "-o", tmp_path / output)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_beside_the_model_is_written_by_default_and_not_replaced(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    copy(bundled("nearest-x2"), model)
    done = command("tune", model, "--tune-s", 1, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["contract"]["name"] == "nearest-x2"
    assert report["providers"]["fastest"] in report["providers"]["ms_per_megapixel"]
    assert model.read_bytes() == bundled("nearest-x2").read_bytes()
    assert open_model(tmp_path / "model-tuned.onnx").contract.tuning is not None
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model-tuned.onnx"}
    again = command("tune", model, "--tune-s", 1)
    assert (again.returncode, "model-tuned.onnx exists; give it as --output to replace it" in again.stderr) == (1, True)


def test_the_model_itself_is_replaced_if_it_is_the_output(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    copy(bundled("nearest-x2"), model)
    done = command("tune", model, "-o", model, "--tune-s", 1)
    assert done.returncode == 0, done.stderr
    assert open_model(model).contract.tuning is not None
