from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler
from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.passes import TileCount, count_layers
from upconv.runtime.picture import Picture, Samples


@pytest.fixture(scope="module")
def doubler(nearest_x2: Path) -> Iterator[Upscaler]:
    """Return a model of scale 2 with tiles of 16x16 pixels and no halo."""
    with Upscaler(nearest_x2, tile_px=16, workers=2) as upscaler:
        yield upscaler


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        (UpscaleOptions(scale=1), []),
        (UpscaleOptions(scale=1.5), [(32, 16)]),
        (UpscaleOptions(), [(32, 16)]),
        (UpscaleOptions(scale=2.1), [(32, 16), (64, 32)]),
        (UpscaleOptions(scale=3), [(32, 16), (64, 32)]),
        (UpscaleOptions(scale=4), [(32, 16), (64, 32)]),
        (UpscaleOptions(scale=8), [(32, 16), (64, 32), (128, 64)]),
        (UpscaleOptions(width=32, height=17), [(32, 16)]),
        (UpscaleOptions(width=32, height=33), [(32, 16), (64, 32)]),
    ],
)
def test_passes_follow_each_other_until_the_result_is_covered(
    options: UpscaleOptions, inputs: list[tuple[int, int]], doubler: Upscaler
) -> None:
    passes = doubler.passes(32, 16, options)
    assert [(plan.width, plan.height) for plan in passes.plans] == inputs
    assert passes.output_size == options.output_size(32, 16, 2)
    assert passes.tiles == sum(width * height // 16**2 for width, height in inputs)
    assert passes.computed_px == sum(width * height for width, height in inputs)
    assert passes.largest_px == max([32 * 16, *(4 * width * height for width, height in inputs)])


@pytest.mark.parametrize("layers", [1, 2])
def test_every_layer_goes_through_every_pass(layers: int, doubler: Upscaler) -> None:
    passes = doubler.passes(32, 16, UpscaleOptions(scale=4), layers)
    assert (passes.tiles, passes.computed_px) == (layers * 10, layers * 2560)


@pytest.mark.parametrize(
    ("scale", "most", "sentence"),
    [
        (2, 4 * 512 - 1, "the result would have 64x32 pixels; at most 2047 are allowed"),
        (3, 16 * 512 - 1, "before it is reduced to 96x48, the picture would have 128x64 pixels; at most 8191"),
    ],
)
def test_limits_hold_for_the_result_and_on_the_way(scale: int, most: int, sentence: str, doubler: Upscaler) -> None:
    doubler.passes(32, 16, UpscaleOptions(scale=scale, max_output_pixels=most + 1))
    with pytest.raises(ImageTooLargeError, match=sentence):
        doubler.passes(32, 16, UpscaleOptions(scale=scale, max_output_pixels=most))


@pytest.mark.parametrize(("channels", "corner", "layers"), [(1, 0, 1), (3, 9, 1), (2, 0, 1), (4, 0, 1), (2, 9, 2), (4, 9, 2)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_opacity_is_a_layer_if_it_has_a_shape(channels: int, corner: int, layers: int, depth: Any) -> None:
    samples: Samples = np.zeros((5, 6, channels), depth)
    samples[4, 5, -1] = corner
    assert count_layers(Picture(samples)) == layers


def test_tiles_are_counted_over_all_passes() -> None:
    calls: list[tuple[int, int]] = []
    count = TileCount(3, lambda done, total: calls.append((done, total)))
    for done, total in ((1, 1), (1, 2), (2, 2)):
        count(done, total)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert count.done == 3
