from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import onnx
import pytest

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def other(nearest_x2: Path, tmp_path: Path) -> Path:
    model = onnx.load(nearest_x2)
    next(a for a in model.graph.node[0].attribute if a.name == "nearest_mode").s = b"ceil"
    onnx.save(model, tmp_path / "other.onnx")
    return tmp_path / "other.onnx"


def test_equal_is_exit_code_0_and_a_page(command: Command, nearest_x2: Path, tmp_path: Path) -> None:
    done = command("parity", "nearest-x2", nearest_x2, "--backend", "onnxruntime", "--html", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["backend", "version"]
    assert "equal in 4 backends" in lines[-1]
    assert "data:image/png" in (tmp_path / "page.html").read_text()


def test_not_equal_is_exit_code_1_and_the_attribute(command: Command, nearest_x2: Path, other: Path) -> None:
    done = command("parity", nearest_x2, other, "--backend", "onnxruntime:all", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["equal"] is False
    assert report["first_difference"]["explanation"] == ["nearest_mode is 'floor' in A and 'ceil' in B"]
    quiet = command("parity", nearest_x2, other, "--backend", "onnxruntime:all", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


def test_what_cannot_be_compared_is_exit_code_2(command: Command, tmp_path: Path) -> None:
    done = command("parity", tmp_path / "none.onnx")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no model file at")
    failure = json.loads(command("parity", tmp_path / "none.onnx", "--json").stdout)
    assert (failure["exit_code"], failure["kind"]) == (2, "SourceError")


def test_saved_inputs_are_judged_with_the_outputs_of_another_program(
    command: Command, nearest_x2: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    report = json.loads(command("parity", nearest_x2, "--save-inputs", tmp_path / "json", "--json").stdout)
    assert (report["folder"], len(report["outputs"])) == (str(tmp_path / "json"), 1)
    done = command("parity", nearest_x2, "--save-inputs", saved)
    assert done.returncode == 0, done.stderr
    assert "write output-N.npz with the arrays output" in done.stdout
    for path in saved.glob("input-*.npz"):
        with np.load(path) as arrays:
            (image,) = arrays.values()
        np.savez(path.with_name(path.name.replace("input", "output")), output=image.repeat(2, -1).repeat(2, -2))
    reports = ["--junit", tmp_path / "r.xml", "--sarif", tmp_path / "r.sarif"]
    done = command("parity", nearest_x2, "--load-outputs", saved, "--json", *reports)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [row["name"] for row in report["backends"]] == ["recorded"]
    assert report["run"]["a_sha256"] == hashlib.sha256(nearest_x2.read_bytes()).hexdigest()
    assert "--load-outputs" in report["run"]["command"]
    assert '<testcase classname="' in (tmp_path / "r.xml").read_text()
    assert json.loads((tmp_path / "r.sarif").read_text())["runs"][0]["results"][0]["kind"] == "pass"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["b.onnx", "--save-inputs", "saved"], "--save-inputs takes one model"),
        (["--save-inputs", "saved", "--junit", "r.xml"], "--save-inputs takes one model"),
        (["b.onnx", "--load-outputs", "saved"], "--load-outputs judges one model"),
        (["--sarif", "no/such/folder.sarif"], "cannot write a report to"),
    ],
)
def test_options_that_exclude_each_other_are_exit_code_2(
    command: Command, nearest_x2: Path, options: list[str], said: str
) -> None:
    done = command("parity", nearest_x2, *options)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_provider_stands_for_its_backend(command: Command, nearest_x2: Path) -> None:
    done = command("parity", nearest_x2, "--provider", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in json.loads(done.stdout)["backends"]] == ["onnxruntime:all"]
    done = command("parity", nearest_x2, "--provider", "cpu", "--backend", "onnxruntime")
    assert (done.returncode, done.stderr) == (2, "error: --provider and --backend exclude each other; give one of them\n")
