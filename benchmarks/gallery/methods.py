"""The ways to enlarge: two interpolations of Pillow, each model of the catalogue, and the default model in several passes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from upconv.export.turns import in_turns
from upconv.models.catalogue import CATALOGUE, DEFAULT, CatalogueEntry
from upconv.models.training.data import Pixels
from upconv.models.training.evaluation import Enlarge, interpolated
from upconv.runtime import UpscaleOptions, Upscaler
from upconv.runtime.picture import Picture
from upconv.runtime.session import Model, open_model
from upconv.runtime.tiled_picture import samples_to_tensor

TIMED_PX = 256
"""The side of the tile that is timed."""
INTERPOLATIONS = {"nearest": Image.Resampling.NEAREST, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class EnlargingMethod:
    """A way to enlarge by one scale."""

    name: str
    enlarge: Enlarge
    work: Callable[[Pixels], object]
    """The part that is timed: the computation in one thread, without the tiles around it."""
    cost_s: float | None = None
    """Seconds per million input pixels that the catalogue states."""


def shown() -> tuple[CatalogueEntry, ...]:
    """Return the models of the catalogue that enlarge and whose files the project contains."""
    return tuple(model for model in CATALOGUE.values() if (model.scale or 1) > 1 and model.artifact.exists())


def scales() -> list[int]:
    """Return the scales for which there is a model."""
    return sorted({model.scale for model in shown() if model.scale})


@contextmanager
def methods(scale: int) -> Iterator[tuple[EnlargingMethod, ...]]:
    """Open all methods for `scale` until the block ends."""
    default = CATALOGUE[DEFAULT]
    assert default.scale is not None
    passes = round(math.log(scale, default.scale))
    with ExitStack() as stack:
        found = [
            EnlargingMethod(name, enlarge, enlarge)
            for name, kernel in INTERPOLATIONS.items()
            for enlarge in [partial(interpolated, scale=scale, kernel=kernel)]
        ]
        found += [
            EnlargingMethod(model.name, *_opened(stack, model.artifact, scale, 1), model.cost_s)
            for model in shown()
            if model.scale == scale
        ]
        if passes > 1 and default.scale**passes == scale:
            times = "twice" if passes == 2 else f"{passes} times"
            found.append(EnlargingMethod(f"{DEFAULT}, {times}", *_opened(stack, default.artifact, scale, passes)))
        yield tuple(found)


def _opened(stack: ExitStack, path: Path, scale: int, passes: int) -> tuple[Enlarge, Callable[[Pixels], object]]:
    upscaler = stack.enter_context(Upscaler(path, workers=1))
    options = UpscaleOptions(scale=scale)

    def enlarge(low: Pixels) -> Pixels:
        result = upscaler.run(Picture(low), options).samples
        return np.asarray(result, np.uint8)

    return enlarge, partial(_passes, open_model(path, "cpu", threads=1), passes)


def _passes(model: Model, passes: int, tile: Pixels) -> None:
    assert model.contract.input is not None
    tensor = samples_to_tensor(tile, model.contract.input)[None]
    for _ in range(passes):
        tensor = model.run(tensor)


def reference(found: Sequence[EnlargingMethod]) -> EnlargingMethod:
    """Return the method to whose time the others are related: the first trained model of the catalogue."""
    return next(method for method in found if method.name in CATALOGUE and CATALOGUE[method.name].psnr_y)


def relative_times(found: Sequence[EnlargingMethod], picture: Pixels, rounds: int) -> dict[str, float]:
    """Return the processor time of each method, by its name, divided by that of the reference, measured in turns."""
    first = reference(found)
    ordered = [first, *(method for method in found if method is not first)]
    repeats = (-(-TIMED_PX // picture.shape[0]), -(-TIMED_PX // picture.shape[1]), 1)
    tile = np.ascontiguousarray(np.tile(picture, repeats)[:TIMED_PX, :TIMED_PX])
    timings = in_turns([partial(method.work, tile) for method in ordered], rounds, clock=time.thread_time)
    return {method.name: timing.ratio for method, timing in zip(ordered, timings, strict=True)}
