"""Opening a model file and warming it up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from upconv.runtime import Model, Picture, Upscaler
from upconv.runtime.executors import Executor
from upconv.runtime.provider_choice import open_chosen

_WARM_PX = 64


@dataclass(frozen=True)
class OpenedModel:
    """An opened model that has computed a picture, if it upscales."""

    model: Model
    upscaler: Upscaler | None
    """`None` if the model does not upscale pictures."""
    pixels_per_s: float = 1e6
    """Input pixels per second and core."""


def open_and_warm(
    path: Path,
    provider: str,
    workers: int | None,
    tile_px: int | None,
    *,
    unproved: bool = False,
    executor: Executor | None = None,
) -> OpenedModel:
    """Open and prove a model file; run a model that upscales twice, and measure the second run.

    The first run allocates memory for later requests, and fails now if the model cannot run. With `unproved`, the model is used
    even if its proof on the spot fails. `executor` computes the tiles in place of this machine.

    Raises `ModelError`, `ContractError` or `ProviderError` if the model cannot be used.
    """
    model = open_chosen(path, provider, unproved=unproved)
    if model.contract.task != "upscale":
        return OpenedModel(model, None)
    upscaler = Upscaler(model, workers=workers, tile_px=tile_px, executor=executor)
    try:
        return OpenedModel(model, upscaler, _warm(upscaler, upscaler.engine.executor.tile_px or _WARM_PX))
    except BaseException:
        upscaler.close()
        raise


def _warm(upscaler: Upscaler, side: int) -> float:
    """Return the speed of one tile. Elsewhere, a small one takes as long as its way there, so the side is the usual one."""
    picture = Picture(np.zeros((side, side, 3), np.uint8))
    upscaler.run(picture)
    started = time.perf_counter()
    upscaler.run(picture)
    return float(upscaler.passes(side, side).computed_px / max(time.perf_counter() - started, 1e-6))
