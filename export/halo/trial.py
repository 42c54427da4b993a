"""The trial of the contract's promise about tiles, with the engine that serves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from upconv.export.storage import copied, save
from upconv.runtime.contract import KEY, Contract, Halo, SizeLaw
from upconv.runtime.cores import available_cores
from upconv.runtime.engine import Engine
from upconv.runtime.rounding import round_up
from upconv.runtime.session import Model, open_model

TOLERANCE = 1e-3
"""Largest difference between tiled and whole output, per unit of the output's range: a quarter of an 8-bit step.

Tiles usually differ by 0 to 1e-6. A Resize by 3 rounds its coordinates, more so far from the corner, and reaches about
1e-5. A larger difference is not rounding: the halo is too small for the graph.
"""

REDUCED_TOLERANCE = 4 / 255
"""The same limit for reduced precision: if float32 differs in its last place, a value may round to the next of 256."""

LONG_PX = 1500
"""Width of the tried picture, in pixels. Rounding errors grow with the distance from the corner."""

BUDGET = 1e11
"""Largest number of multiplications of a trial, some seconds. Deeper models are tried on a strip along each axis."""

STRIP_PX = 4
"""Rows of a strip, if the model's minimum is not larger."""


def described(model: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """Return `model` with its contract in its metadata."""
    copy = copied(model)
    helper.set_model_props(copy, {KEY: contract.to_json()})
    return copy


def tiling_difference(model: onnx.ModelProto, contract: Contract, products: float) -> float:
    """Return the largest difference between tiled and whole output on noise, per unit of the output's range.

    `products` is the number of multiplications per input pixel, before any rewrite.
    """
    assert contract.output
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        save(described(model, contract), path)
        opened = open_model(path, threads=available_cores())
        difference = max(_difference(opened, *trial) for trial in _trials(products, contract))
    return difference / (contract.output.high - contract.output.low)


def _trials(products: float, contract: Contract) -> Iterator[tuple[int, int, int]]:
    """Yield height and width of the pictures, and the side of the tiles."""
    assert isinstance(contract.halo, Halo) and contract.height and contract.width
    sides = contract.halo.model_dump().values()
    tile_px = 2 * max(sides) + 4 * max(contract.height.multiple, contract.width.multiple)
    height, width = 2 * tile_px + 5, max(3 * tile_px + 1, LONG_PX)
    if products * height * width <= BUDGET:
        yield height, width, tile_px
    # The picture above may be one row of tiles, or its last row has more than the halo: only two tiles have exactly the halo.
    halo = contract.halo
    yield _two_tiles(halo.top, halo.bottom, contract.height), strip(contract.width), 1
    yield strip(contract.height), _two_tiles(halo.left, halo.right, contract.width), 1


def _two_tiles(before: int, after: int, law: SizeLaw) -> int:
    """Return the length that the engine cuts into two of its smallest tiles, each with exactly the halo on its inner side."""
    before, after = (round_up(px, law.multiple) for px in (before, after))
    smallest = law.fitted(3 * (before + after))
    return 2 * smallest - before - after


def strip(law: SizeLaw) -> int:
    """Return the length of a strip's short side."""
    return law.fitted(STRIP_PX)


def _difference(model: Model, height: int, width: int, tile_px: int) -> float:
    pixels = model.contract.input
    assert pixels is not None
    picture = np.random.default_rng(1).random((pixels.channels, height, width), np.float32)
    picture = picture * np.float32(pixels.high - pixels.low) + np.float32(pixels.low)
    with (
        Engine(model, workers=1, tile_px=tile_px, exact=True) as tiled,
        Engine(model, workers=1, tile_px=max(height, width) + 64) as whole,
    ):
        return float(np.abs(tiled.enlarge(picture) - whole.enlarge(picture)).max())
