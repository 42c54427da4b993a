"""A sample of what schemathesis makes of the OpenAPI description; `benchmarks/service` has the command for all of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis")

ROOT = Path(__file__).parents[2]


def test_every_answer_is_as_described(client_with: Callable[..., Any]) -> None:
    with client_with(sd_webui=True) as client:
        done = subprocess.run(
            [
                *(sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "run", f"{client.base_url}/openapi.json"),
                *("--checks", "all", "--phases", "examples,fuzzing", "-n", "4", "--seed", "1", "--no-color"),
                *("--continue-on-failure", "--suppress-health-check", "all"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
