from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.service.conftest import web_runtime_folder

from upconv.models.catalogue import CATALOGUE

Command = Callable[..., CompletedProcess[str]]


def test_a_folder_with_the_named_models(command: Command, tmp_path: Path) -> None:
    runtime = web_runtime_folder(tmp_path)
    done = command("site", "-o", tmp_path / "site", "--web-runtime", runtime, "--model", "nearest-x2", "--model", "photo-s-x2")
    assert done.returncode == 0, done.stderr
    assert "the page with nearest-x2, photo-s-x2" in done.stdout
    listed = json.loads((tmp_path / "site" / "models.json").read_text())["models"]
    assert [(model["name"], model["default"]) for model in listed] == [("nearest-x2", True), ("photo-s-x2", False)]


def test_json(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "site"
    done = command("site", "-o", out, "--web-runtime", web_runtime_folder(tmp_path), "--model", "nearest-x2", "--json")
    assert json.loads(done.stdout) == {"folder": str(out), "models": ["nearest-x2"], "headers": "_headers"}


def test_the_small_models_are_the_default(command: Command, tmp_path: Path) -> None:
    done = command("site", "-o", tmp_path / "site", "--web-runtime", web_runtime_folder(tmp_path))
    assert "the page with photo-s-x2, " in done.stdout
    assert "deconv-m-x2" not in done.stdout


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([str(CATALOGUE["photo-s-x2"].reduced)], "is a model in int8"),
        (["no-such"], "no model called 'no-such'"),
        (["nearest-x2", "nearest-x2"], "two models are called 'nearest-x2'"),
    ],
)
def test_refused(command: Command, tmp_path: Path, models: list[str], words: str) -> None:
    named = [word for model in models for word in ("--model", model)]
    done = command("site", "-o", tmp_path / "site", "--web-runtime", web_runtime_folder(tmp_path), *named)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_folder_that_is_no_runtime(command: Command, tmp_path: Path) -> None:
    done = command("site", "-o", tmp_path / "site", "--web-runtime", tmp_path)
    assert (done.returncode, "make it with: upconv web-runtime" in done.stderr) == (1, True)
