"""Parity in runtimes that stand beside upconv's own: another version of onnxruntime, node and WebGPU. `scripts/runtime_tests` runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from upconv.models import bundled

FOLDER = os.environ.get("UPCONV_TEST_RUNTIMES", "")

pytestmark = pytest.mark.skipif(not FOLDER, reason="UPCONV_TEST_RUNTIMES names no folder that scripts/runtimes made")


@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x4"])
def test_a_bundled_model_is_equal_in_every_runtime(name: str) -> None:
    command = [sys.executable, "-m", "upconv", "parity", str(bundled(name)), "--backend", "all", "--runtimes", FOLDER, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["backends"]}
    names = {path.name for path in Path(FOLDER).iterdir() if path.name.startswith("onnxruntime-")}
    assert {row: rows[row]["status"] for row in names} == dict.fromkeys(names, "equal")
    assert sum(row["status"] == "equal" for row in rows.values()) >= 8
