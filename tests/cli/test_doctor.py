from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from upconv.runtime.doctor import packages
from upconv.runtime.provider_table import WHEELS

Command = Callable[..., CompletedProcess[str]]


def test_a_healthy_installation(command: Command) -> None:
    done = command("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[0].startswith("upconv ")
    assert done.stdout.splitlines()[-1] == "Everything that is required is here."
    assert "libvips" in done.stdout and "open files" in done.stdout


def test_what_is_required_and_missing_is_exit_code_1(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_version", lambda name: None if name in WHEELS else "99")
    done = command("doctor")
    assert done.returncode == 1
    assert "missing, required" in done.stdout
    assert "pip install" in done.stdout
    assert done.stdout.splitlines()[-1] == "Pictures cannot be upscaled: repair onnxruntime first."
    report = json.loads(command("doctor", "--json").stdout)
    (row,) = (check for check in report["checks"] if check["name"] == "onnxruntime")
    assert (report["healthy"], row["state"], row["required"]) == (False, "missing", True)


def test_it_is_light() -> None:
    words = [sys.executable, "-X", "importtime", "-m", "upconv", "doctor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not loaded & {"torch", "onnx", "fastapi", "keras", "openvino", "skimage"}
    assert "onnxruntime" in loaded
