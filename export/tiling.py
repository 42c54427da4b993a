"""What a contract promises of tiles, tried with the engine that serves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from upconv.runtime.contract import KEY, Contract, Halo
from upconv.runtime.engine import Engine
from upconv.runtime.session import open_model

TOLERANCE = 1e-3
"""Largest difference between tiled and whole-image output, per unit of the output's range: a quarter of an 8-bit step.

Tiles differ by 0 to 1e-6 as a rule. A Resize by 3 rounds its coordinates, the more so the farther from the corner, and
comes to some 1e-5. More than that is no rounding: the halo is too small for what the graph does.
"""

STRIP_PX = 1500
"""Width of the picture that tiling is tried on."""


def described(model: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """`model` with its contract in its metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    helper.set_model_props(copy, {KEY: contract.to_json()})
    return copy


def tiling_difference(model: onnx.ModelProto, contract: Contract) -> float:
    """Largest difference between tiled and whole output on noise, per unit of the output's range."""
    assert isinstance(contract.halo, Halo) and contract.input and contract.height and contract.width
    tile_px = 2 * max(contract.halo.model_dump().values()) + 4 * max(contract.height.multiple, contract.width.multiple)
    # Wide, because what is rounded wrong is rounded worse far from the corner.
    shape = (contract.input.channels, 2 * tile_px + 5, max(3 * tile_px + 1, STRIP_PX))
    picture = np.random.default_rng(1).random(shape, np.float32) * np.float32(contract.input.high - contract.input.low)
    picture += np.float32(contract.input.low)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(described(model, contract).SerializeToString())
        opened = open_model(path)
        with Engine(opened, workers=1, tile_px=tile_px) as tiled, Engine(opened, workers=1, tile_px=max(shape) + 64) as whole:
            difference = np.abs(tiled.submit(picture).result() - whole.submit(picture).result()).max()
    assert contract.output is not None
    return float(difference) / (contract.output.high - contract.output.low)
