from __future__ import annotations

import numpy as np
import pytest

from upconv.runtime.contract import Pixels
from upconv.runtime.number_formats import DTYPES, from_format, from_levels, to_format, to_levels
from upconv.runtime.options import NumberFormat

RANGES = [Pixels(), Pixels(low=-1.0), Pixels(high=255.0)]


@pytest.mark.parametrize("pixels", RANGES)
def test_8_bit_samples_come_back(pixels: Pixels) -> None:
    levels = np.arange(256, dtype=np.uint8)
    tensor = from_levels(levels.astype(np.float32), pixels, np.uint8)
    sent = to_format(tensor, "uint8", pixels)
    np.testing.assert_array_equal(sent, levels)
    np.testing.assert_array_equal(from_format(sent, "uint8", pixels), tensor)


@pytest.mark.parametrize("pixels", RANGES)
def test_values_beyond_black_and_white_are_clipped(pixels: Pixels) -> None:
    beyond = np.array([pixels.low - 1, pixels.high + 1], np.float32)
    np.testing.assert_array_equal(to_format(beyond, "uint8", pixels), [0, 255])
    np.testing.assert_array_equal(beyond, np.array([pixels.low - 1, pixels.high + 1], np.float32))


@pytest.mark.parametrize(("format", "error"), [("fp32", 0.0), ("fp16", 5e-4), ("uint8", 0.5 / 255 + 1e-6)])
def test_what_a_format_loses(format: NumberFormat, error: float) -> None:
    tensor = np.random.default_rng(0).random((1, 3, 5, 6), np.float32)
    sent = to_format(tensor, format, Pixels())
    assert sent.dtype == DTYPES[format]
    assert np.abs(from_format(sent, format, Pixels()) - tensor).max() <= error


def test_a_tensor_may_be_overwritten() -> None:
    tensor = np.array([0.5, 2], np.float32)
    np.testing.assert_array_equal(to_format(tensor, "uint8", Pixels(), overwrite=True), [128, 255])
    np.testing.assert_array_equal(tensor, np.array([128, 255], np.float32))


def test_levels_are_rounded() -> None:
    np.testing.assert_array_equal(to_levels(np.array([0.4 / 255, 0.6 / 255], np.float32), Pixels(), np.uint8), [0, 1])
