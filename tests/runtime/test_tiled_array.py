from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from upconv.runtime.session import open_model
from upconv.runtime.tiled_array import TiledArray
from upconv.runtime.tiling import plan_tiles


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 40), (33, 47)])
def test_tiles_of_an_array_give_the_whole_again(nearest_x2: Path, height: int, width: int) -> None:
    planes = np.random.default_rng(0).random((3, height, width), np.float32)
    array = TiledArray(planes, plan_tiles(height, width, open_model(nearest_x2).contract, 16))
    for tile in array.plan.tiles:
        tensor = array.cut(tile)
        assert tensor.shape == (1, 3, *array.plan.tiles[0].shape)
        assert tensor.flags.c_contiguous
        array.paste(tile, tensor.repeat(2, axis=2).repeat(2, axis=3))
    np.testing.assert_array_equal(array.result, planes.repeat(2, axis=1).repeat(2, axis=2))
