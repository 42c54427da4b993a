from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, loading
from upconv.service.errors import UnknownModelError


def test_by_name(nearest_x2: Path, decoder: Path) -> None:
    registry = loading.load(Settings(models=(decoder, nearest_x2), workers=1))
    try:
        assert registry.upscaling() == registry.upscaling("nearest-x2-test")
        assert registry.default is registry.entry("nearest-x2-test")
        with pytest.raises(UnknownModelError, match="no model 'x'; the loaded models are decoder-test, nearest-x2-test"):
            registry.upscaling("x")
        with pytest.raises(ParameterError, match="is decode; expected a model that upscales"):
            registry.upscaling("decoder-test")
    finally:
        registry.close()


def test_decoders_alone(decoder: Path) -> None:
    registry = loading.load(Settings(models=(decoder,)))
    with pytest.raises(ParameterError, match="no loaded model upscales pictures"):
        registry.upscaling()
