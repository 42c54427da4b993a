"""The trial of the halo: tiles against the whole picture, computed by the engine of the service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from upconv.export.pictures import PHOTOGRAPH
from upconv.export.storage import copied, save
from upconv.runtime.codecs import read
from upconv.runtime.contract import KEY, Contract, Halo, Pixels, SizeLaw
from upconv.runtime.cores import available_cores
from upconv.runtime.engine import Engine
from upconv.runtime.session import Model, Tensor, open_model
from upconv.runtime.tiled_picture import samples_to_tensor
from upconv.runtime.tiling import tiling_axes
from upconv.runtime.tiling_axis import TilingAxis

TOLERANCE = 1e-3
"""Largest difference between the tiled and the whole picture, as a fraction of the output's range: a quarter of an 8-bit step.

Tiles usually differ by 0 to 1e-6. A Resize by 3 rounds its coordinates, more so far from the corner, and differs by about
1e-5. A larger difference is not rounding: the halo is too small for the graph.
"""

REDUCED_TOLERANCE = 4 / 255
"""The same limit in reduced precision: a last-place difference in float32 can round to the next of 256 values."""

LONG_PX = 1500
"""Width of the trial picture, in pixels. Rounding errors of coordinates grow with the distance from the corner."""

BUDGET = 1e11
"""Largest number of multiplications of a trial, a few seconds. Above it, two strips are tried, one along each axis."""

STRIP_PX = 4
"""Short side of a strip, in pixels, if the minimum of the model is not larger."""

UNLIKE = 10.0
"""Span of the output, in ranges of a picture, from which on the noise counts as an input that the model was not made for.

Some trained networks answer white noise with values a hundred times as large as white, and differ by as much in the last
places. A photograph with a little noise decides about these.
"""

GRAIN = 0.1
"""The share of noise in that photograph."""


def described(model: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """Return a copy of `model` with the contract in its metadata."""
    copy = copied(model)
    helper.set_model_props(copy, {KEY: contract.to_json()})
    return copy


@contextmanager
def opened(model: onnx.ModelProto, contract: Contract) -> Iterator[Model]:
    """Open `model` with the contract in its metadata, from a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        save(described(model, contract), path)
        yield open_model(path, threads=available_cores())


def tiling_difference(model: onnx.ModelProto, contract: Contract, products: float) -> float:
    """Return the largest difference between tiled and whole output on noise, or on a photograph (see `UNLIKE`).

    The unit is the range of the output. `products` is the number of multiplications per input pixel, before any rewrite.
    """
    assert contract.output
    span = contract.output.high - contract.output.low
    with opened(model, contract) as known:
        return max(_difference(known, span, *trial) for trial in trials(products, contract)) / span


def trials(products: float, contract: Contract) -> Iterator[tuple[int, int, int]]:
    """Yield height and width of each picture, and the side of its tiles, in pixels."""
    assert isinstance(contract.halo, Halo)
    laws = contract.laws
    sides = contract.halo.model_dump().values()
    axes = tiling_axes(1, 1, contract, contract.halo)
    rows, columns = (axis.largest - 2 * axis.multiple - sum(axis.halo or ()) for axis in axes)
    tile_px = 2 * max(sides) + 4 * max(law.multiple for law in laws)
    height, width = min(2 * tile_px + 5, max(1, rows)), min(max(3 * tile_px + 1, LONG_PX), max(1, columns))
    if products * height * width <= BUDGET:
        yield height, width, tile_px
    # The picture above may be one row of tiles, or its last row has more than the halo: only two tiles have exactly the halo.
    yield _two_tiles(axes[0], laws[0]), strip(laws[1]), 1
    yield strip(laws[0]), _two_tiles(axes[1], laws[1]), 1


def _two_tiles(axis: TilingAxis, law: SizeLaw) -> int:
    """Return the length that the engine cuts into two of its smallest tiles, each with exactly the halo on its inner side."""
    overlap, around = sum(axis.halo or ()), axis.padded_by
    smallest = min(law.fitted(3 * overlap), axis.largest)
    return max(1, min(2 * smallest - overlap, axis.largest) - around)


def strip(law: SizeLaw) -> int:
    """Return the short side of a strip, in pixels."""
    return law.fitted(STRIP_PX)


def _difference(model: Model, usual: float, height: int, width: int, tile_px: int) -> float:
    """Return the difference of one trial; `usual` is the range of the output."""
    pixels = model.contract.input
    assert pixels is not None
    noise = np.random.default_rng(1).random((pixels.channels, height, width), np.float32)
    difference, span = _compared(model, noise, tile_px)
    return difference if span <= UNLIKE * usual else _compared(model, grainy(noise, pixels), tile_px)[0]


def grainy(noise: Tensor, pixels: Pixels) -> Tensor:
    """Return the photograph with a little noise, both from 0 to 1, (C, H, W)."""
    unit = pixels.model_copy(update={"low": 0.0, "high": 1.0})
    photograph = covering(samples_to_tensor(read(PHOTOGRAPH).samples, unit), *noise.shape[1:])
    picture: Tensor = (1 - GRAIN) * photograph + GRAIN * noise
    return picture


def covering(picture: Tensor, height: int, width: int) -> Tensor:
    """Return a picture (C, H, W) of another size: its first part, or the picture mirrored at its border until it is as large."""
    covered: Tensor = np.pad(picture, [(0, 0), (0, height), (0, width)], mode="symmetric")[:, :height, :width]
    return covered


def shaded(picture: Tensor, pixels: Pixels) -> Tensor:
    """Return a picture from 0 to 1 in the range of `pixels`, brighter to one side.

    A statistic of a tile differs from that of the picture then.
    """
    height, width = (np.linspace(0.25, 1, length, dtype=np.float32) for length in picture.shape[1:])
    planes: Tensor = picture * np.outer(height, width) * np.float32(pixels.high - pixels.low) + np.float32(pixels.low)
    return planes


def _compared(model: Model, picture: Tensor, tile_px: int) -> tuple[float, float]:
    """Return the difference that tiles make for a picture from 0 to 1, and the span of the whole output."""
    pixels, (height, width) = model.contract.input, picture.shape[1:]
    assert pixels is not None
    planes = shaded(picture, pixels)
    side = max(axis.padded for axis in tiling_axes(height, width, model.contract, None))
    with (
        Engine(model, workers=1, tile_px=tile_px, exact=True) as tiled,
        Engine(model, workers=1, tile_px=side) as whole,
    ):
        assert len(whole.plan(height, width).tiles) == 1
        result = whole.enlarge(planes)
        return float(np.abs(tiled.enlarge(planes) - result).max()), float(np.ptp(result))
