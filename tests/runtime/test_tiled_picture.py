from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime.contract import Pixels
from upconv.runtime.number_formats import to_levels
from upconv.runtime.session import Tensor, open_model
from upconv.runtime.tiled_picture import samples_to_tensor, tensor_to_samples, tiled_picture
from upconv.runtime.tiling import plan_tiles


def fixed(planes: Tensor) -> Tensor:
    """Memory that may not be written."""
    planes.flags.writeable = False
    return planes


def strided(planes: Tensor) -> Tensor:
    """Values that are not contiguous."""
    return np.repeat(planes, 2, axis=3)[..., ::2]


RANGES = [Pixels(), Pixels(low=-1, high=1), Pixels(low=0, high=255)]


@pytest.mark.parametrize("pixels", RANGES)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back_nothing_is_lost(pixels: Pixels, depth: Any, channels: int) -> None:
    samples = np.arange(65536).reshape(256, 256, 1).repeat(channels, axis=2).astype(depth)
    planes = samples_to_tensor(samples, pixels)
    assert planes.shape == (3, 256, 256)
    assert planes.dtype == np.float32
    assert pixels.low <= planes.min() < planes.max() <= pixels.high
    back = tensor_to_samples(planes, pixels, depth, grey=channels == 1)
    assert back.dtype == depth
    np.testing.assert_array_equal(back, samples)


def test_colours_become_luma_for_a_model_of_luma() -> None:
    samples = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(samples_to_tensor(samples, Pixels(color="y")), [[[0.299, 0.587, 0.114]]], atol=1e-6)


def test_what_leaves_the_range_is_clipped_and_the_rest_rounded() -> None:
    planes = np.array([[[-0.5, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 7.0]]], np.float32)
    assert tensor_to_samples(planes, Pixels(color="gray"), np.uint8, grey=True).ravel().tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize("pixels", RANGES)
def test_levels_take_the_memory_of_the_values(pixels: Pixels) -> None:
    given = np.linspace(pixels.low - 0.5, pixels.high + 0.5, 3 * 40 * 50, dtype=np.float32).reshape(3, 40, 50)
    before = given.copy()
    expected = tensor_to_samples(given, pixels, np.uint8, grey=False)
    np.testing.assert_array_equal(given, before)
    levels = to_levels(given, pixels, np.uint8)
    assert levels is given
    np.testing.assert_array_equal(levels.astype(np.uint8).transpose(1, 2, 0), expected)


@pytest.mark.parametrize("change", [lambda planes: planes, lambda planes: planes.copy(), fixed, strided])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tile_is_pasted_the_same_from_any_memory(nearest_x2: Path, channels: int, change: Callable[[Tensor], Tensor]) -> None:
    contract = open_model(nearest_x2).contract
    source = np.random.default_rng(0).integers(0, 256, (20, 30, channels), np.uint8)
    plan = plan_tiles(20, 30, contract, 16)
    picture = tiled_picture(source, channels, plan, contract)
    assert len(plan.tiles) > 1
    for tile in plan.tiles:
        output = picture.cut(tile).repeat(2, axis=2).repeat(2, axis=3)
        picture.paste(tile, change(output))
    np.testing.assert_array_equal(picture.canvas.samples(), source.repeat(2, axis=0).repeat(2, axis=1))
