from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import open_model

Command = Callable[..., CompletedProcess[str]]
FAST = ("--steps", 4, "--batch", 2, "--patch-px", 12, "--validate-every", 2)


@pytest.fixture
def network(tmp_path: Path, photograph: Callable[[int, int], np.ndarray], monkeypatch: pytest.MonkeyPatch) -> str:
    """Photographs and a network with batch normalisation in the current folder."""
    (tmp_path / "album").mkdir()
    for number in range(4):
        Image.fromarray(photograph(70 + number, 80)).save(tmp_path / "album" / f"{number}.png")
    (tmp_path / "trained.py").write_text(
        "from torch import nn\n\n\ndef net(width=4):\n    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), "
        "nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1))\n"
    )
    monkeypatch.chdir(tmp_path)
    return "trained.py:net"


def test_a_network_is_trained_and_exported(command: Command, network: str) -> None:
    done = command("train", network, "--data", "album", "-o", "run", "--kwargs", '{"width": 5}', *FAST, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["scale"], report["pictures"], report["weights"]) == (2, 1, "run/best.safetensors")
    exported = command(*shlex.split(report["export"])[1:], "--quiet")
    assert exported.returncode == 0, exported.stderr
    assert open_model(Path("run.onnx")).contract.task == "upscale"


def test_a_run_continues_and_another_network_is_refused(command: Command, network: str) -> None:
    words = ("train", network, "--data", "album", "--validation", "album", "-o", "run")
    assert command(*words, *FAST).returncode == 0
    assert "on 4 photographs that were held out" in command(*words, *FAST[2:], "--steps", 6).stdout
    lines = Path("run/log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4", "6"]
    other = command(*words, *FAST, "--kwargs", '{"width": 6}')
    assert (other.returncode, "run holds a run of another network" in other.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--data", "none"), "no images"),
        (("--data", "album", "--validation", "none"), "no images"),
        (("--data", "album", "--patch-px", "500"), "no image has 1000 pixels on both sides"),
        (("--data", "album", "--kwargs", "[]"), "--kwargs must be a JSON object"),
    ],
)
def test_refused(command: Command, network: str, options: tuple[str, ...], sentence: str) -> None:
    done = command("train", network, "-o", "run", *options)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not Path("run").exists()


def test_an_interrupted_run_keeps_a_checkpoint(network: str) -> None:
    words = ["train", network, "--data", "album", "-o", "run", "--steps", "100000", "--batch", "2", "--patch-px", "12"]
    command = [sys.executable, "-m", "upconv", *words, "--validate-every", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not Path("run/checkpoint.pt").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "of 100000 steps; run the same command to continue" in error
    assert "Traceback" not in error
