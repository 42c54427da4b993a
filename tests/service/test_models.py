from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from upconv.runtime import Contract


def test_models(client_with: Callable[..., Any], nearest_x2: Path, decoder: Path) -> None:
    with client_with(models=(nearest_x2, decoder)) as client:
        models = client.get("/v1/models").json()["models"]
    assert [(model["name"], model["default"], model["upscales"]) for model in models] == [
        ("nearest-x2-test", True, True),
        ("decoder-test", False, False),
    ]
    assert models[0]["provider"] == "CPUExecutionProvider"
    assert models[0]["sha256"] == hashlib.sha256(nearest_x2.read_bytes()).hexdigest()
    assert Contract.model_validate(models[0]["contract"]).scale == 2
