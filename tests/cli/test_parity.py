from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest


def parity(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "upconv", "parity", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def other(nearest_x2: Path, tmp_path: Path) -> Path:
    model = onnx.load(nearest_x2)
    next(a for a in model.graph.node[0].attribute if a.name == "nearest_mode").s = b"ceil"
    onnx.save(model, tmp_path / "other.onnx")
    return tmp_path / "other.onnx"


def test_equal_is_exit_code_0_and_a_page(nearest_x2: Path, tmp_path: Path) -> None:
    done = parity("nearest-x2", nearest_x2, "--backend", "onnxruntime", "--html", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["backend", "version"]
    assert "equal in 4 backends" in lines[-1]
    assert "data:image/png" in (tmp_path / "page.html").read_text()


def test_not_equal_is_exit_code_1_and_the_attribute(nearest_x2: Path, other: Path) -> None:
    done = parity(nearest_x2, other, "--backend", "onnxruntime:all", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["equal"] is False
    assert report["first_difference"]["explanation"] == ["nearest_mode is 'floor' in A and 'ceil' in B"]
    quiet = parity(nearest_x2, other, "--backend", "onnxruntime:all", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


def test_what_cannot_be_compared_is_exit_code_2(tmp_path: Path) -> None:
    done = parity(tmp_path / "none.onnx")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no model file at")
