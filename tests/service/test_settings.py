from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from upconv.service import Settings


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCONV_MODELS", "a.onnx:b/c.onnx")
    monkeypatch.setenv("UPCONV_PORT", "0")
    monkeypatch.setenv("UPCONV_MAX_BYTES", "1000")
    settings = Settings()
    assert (settings.models, settings.port, settings.max_bytes) == ((Path("a.onnx"), Path("b/c.onnx")), 0, 1000)


@pytest.mark.parametrize(
    "values",
    [
        {"models": ()},
        {"port": 65536},
        {"port": -1},
        {"workers": 0},
        {"tile_px": 1},
        {"max_bytes": 0},
        {"max_bytes": 2, "max_waiting_bytes": 1},
        {"max_pixels": 0},
        {"max_waiting": 0},
        {"drain_s": -1},
        {"provider": "tpu"},
        {"unknown": 1},
    ],
)
def test_bounds(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**{"models": (Path("a.onnx"),), **values})


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings(models=(Path("a.onnx"),)).port = 1  # type: ignore[misc]
