from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime.contract import Pixels
from upconv.runtime.session import Tensor
from upconv.runtime.tiled_picture import samples_to_tensor, tensor_to_samples

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
def test_the_tensor_is_overwritten_only_on_request(pixels: Pixels) -> None:
    def planes() -> Tensor:
        spread = np.linspace(pixels.low - 0.5, pixels.high + 0.5, 3 * 40 * 50, dtype=np.float32)
        return spread.reshape(3, 40, 50)[:, 5:-5, 5:-5]

    given = planes()
    expected = tensor_to_samples(given, pixels, np.uint8, grey=False)
    np.testing.assert_array_equal(given, planes())
    np.testing.assert_array_equal(tensor_to_samples(given, pixels, np.uint8, grey=False, overwrite=True), expected)
    assert not np.array_equal(given, planes())
    fixed = planes()
    fixed.flags.writeable = False
    np.testing.assert_array_equal(tensor_to_samples(fixed, pixels, np.uint8, grey=False, overwrite=True), expected)
