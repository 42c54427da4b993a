from __future__ import annotations

import os
import subprocess
import sys

import upconv
import upconv.export


def test_onnxruntime_tells_nobody() -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc/nowhere"}  # not CI, where it never tells
    program = "import os, upconv, onnxruntime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert "telemetry" not in done.stderr, "which it mentions where it finds no place to remember the device"


def test_the_verb_is_the_same_in_both_places() -> None:
    assert upconv.to_onnx is upconv.export.to_onnx
    assert not callable(upconv.export)


def test_dir_lists_only_public_names() -> None:
    packages = ["export", "models", "runtime", "service"]
    assert dir(upconv) == sorted([*upconv.__all__, *packages])
    assert dir(upconv.export) == sorted(upconv.export.__all__)
    for name in dir(upconv):
        assert getattr(upconv, name) is not None
