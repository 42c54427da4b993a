"""Opening a model file and warming it up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from upconv.runtime import Model, Picture, Upscaler, open_model

_WARM_PX = 64


@dataclass(frozen=True)
class OpenedModel:
    """An opened model that has computed a picture, if it upscales."""

    model: Model
    upscaler: Upscaler | None
    """`None` if the model does not upscale pictures."""
    pixels_per_s: float = 1e6
    """Input pixels per second and core."""


def open_and_warm(path: Path, provider: str, workers: int | None, tile_px: int | None) -> OpenedModel:
    """Open a model file; run a model that upscales twice, and measure the second run.

    The first run allocates memory for later requests, and fails now if the model cannot run.

    Raises `ModelError`, `ContractError` or `ProviderError` if the model cannot be used.
    """
    model = open_model(path, provider)
    if model.contract.task != "upscale":
        return OpenedModel(model, None)
    upscaler = Upscaler(model, workers=workers, tile_px=tile_px)
    try:
        return OpenedModel(model, upscaler, _warm(upscaler))
    except BaseException:
        upscaler.close()
        raise


def _warm(upscaler: Upscaler) -> float:
    picture = Picture(np.zeros((_WARM_PX, _WARM_PX, 3), np.uint8))
    upscaler.run(picture)
    started = time.perf_counter()
    upscaler.run(picture)
    return float(upscaler.passes(_WARM_PX, _WARM_PX).computed_px / max(time.perf_counter() - started, 1e-6))
