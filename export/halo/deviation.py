"""The deviation of halos smaller than the exact one: a tile of a photograph against the whole picture.

The receptive field of a deep network can be hundreds of pixels wide, but the far pixels have little influence. The
licence of the photograph is in `photographs/LICENCES.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from upconv.export.halo.trial import covering, opened
from upconv.export.pictures import PHOTOGRAPH
from upconv.runtime.codecs import read
from upconv.runtime.contract import Contract, Halo, HaloDeviation
from upconv.runtime.session import Model, Tensor
from upconv.runtime.tiled_picture import samples_to_tensor
from upconv.runtime.tiling import tiling_axes

USEFUL_PX = 64
"""Largest halo that is worth its cost, in pixels. With a larger one, most of a tile is discarded."""

HALOS_PX = (10, 16, 24, 32, 48, 64, 96)
"""Halos to measure, below the exact one, in pixels; 10 is the default `tile_pad` of many upscalers."""

TILE_PX = 64
"""Least side of the compared part, in input pixels. It is in the corner of the picture, so two of its sides are cut."""

PICTURE_PX = 192
"""Side of the whole picture, in input pixels. A larger one takes a deep network minutes."""


def halo_deviation(model: onnx.ModelProto, contract: Contract) -> tuple[HaloDeviation, ...]:
    """Return the deviation of each smaller halo; empty if the exact halo is at most `USEFUL_PX`."""
    if not isinstance(contract.halo, Halo) or max(contract.halo.model_dump().values()) <= USEFUL_PX:
        return ()
    with opened(model, contract) as known:
        return tuple(_measured(known, contract, contract.halo))


def _measured(model: Model, contract: Contract, exact: Halo) -> Iterator[HaloDeviation]:
    rows, columns = contract.laws
    picture = covering(photograph(contract)[0], rows.clamped(PICTURE_PX), columns.clamped(PICTURE_PX))[None]
    rows_px, columns_px = picture.shape[2:]
    whole = _steps(model.run(picture), contract)
    for halo_px in (px for px in HALOS_PX if px < max(exact.model_dump().values())):
        smaller = Halo(**{name: min(px, halo_px) for name, px in exact.model_dump().items()})
        below, right = ((axis.halo or (0, 0))[1] for axis in tiling_axes(rows_px, columns_px, contract, smaller))
        height, width = rows.fitted(TILE_PX + below), columns.fitted(TILE_PX + right)
        if height >= rows_px or width >= columns_px:
            return  # a tile that is as long as the picture shows nothing
        kept = np.s_[:, : (height - below) * contract.scale, : (width - right) * contract.scale]
        tile = _steps(model.run(np.ascontiguousarray(picture[:, :, :height, :width])), contract)[kept]
        differ = _samples(tile) != _samples(whole[kept])
        yield HaloDeviation(halo_px=halo_px, steps=float(np.abs(tile - whole[kept]).max()), share=float(differ.mean()))


def photograph(contract: Contract) -> Tensor:
    """Return the photograph as an input of the model, a float32 array (1, C, 192, 192)."""
    pixels = contract.input
    assert pixels is not None
    return samples_to_tensor(read(PHOTOGRAPH).samples, pixels)[None]


def _steps(output: Tensor, contract: Contract) -> Tensor:
    """Return an output (C, H, W), in 8-bit steps."""
    assert contract.output is not None
    span = contract.output.high - contract.output.low
    steps: Tensor = (output[0] - np.float32(contract.output.low)) * np.float32(255 / span)
    return steps


def _samples(steps: Tensor) -> Tensor:
    samples: Tensor = steps.clip(0, 255).round()
    return samples
