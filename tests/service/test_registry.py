from __future__ import annotations

import threading
from pathlib import Path

import pytest

from upconv.runtime import Upscaler
from upconv.runtime.errors import ContractError, ModelError, ParameterError
from upconv.service import Settings
from upconv.service.errors import UnknownModelError
from upconv.service.registry import Registry


def engines() -> int:
    return sum(thread.name.startswith("upconv-engine") for thread in threading.enumerate())


def test_by_name(nearest_x2: Path, decoder: Path) -> None:
    registry = Registry.open(Settings(models=(nearest_x2, decoder), workers=1))
    try:
        assert isinstance(registry.upscaler(), Upscaler)
        assert registry.upscaler() is registry.upscaler("nearest-x2-test")
        with pytest.raises(UnknownModelError, match="no model 'x'; loaded are nearest-x2-test, decoder-test"):
            registry.upscaler("x")
        with pytest.raises(ParameterError, match="made to decode"):
            registry.upscaler("decoder-test")
    finally:
        registry.close()


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (("nearest_x2", "nearest_x2"), ModelError, "both named nearest-x2-test"),
        (("nearest_x2", "without_contract"), ContractError, "carries no contract"),
        (("nearest_x2", "missing"), ModelError, "no model file"),
        (("decoder",), ModelError, "does not upscale"),
        (("decoder", "nearest_x2"), ModelError, "does not upscale"),
    ],
)
def test_all_or_none(request: pytest.FixtureRequest, files: tuple[str, ...], error: type[Exception], words: str) -> None:
    paths = tuple(Path("/missing.onnx") if name == "missing" else request.getfixturevalue(name) for name in files)
    before = engines()
    with pytest.raises(error, match=words):
        Registry.open(Settings(models=paths, workers=1))
    assert engines() == before
