from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from upconv.models.training.comparison.quality import Scores, quality, scores


def test_means_and_the_standard_error_of_the_difference() -> None:
    first = Scores((30.0, 32.0, 34.0), (0.8, 0.9, 1.0), (0.7, 0.8, 0.9))
    means = quality(Scores((31.0, 34.0, 37.0), (0.9, 0.9, 0.9), (1.0, 1.0, 1.0)), first)
    assert (means.psnr_y, means.sharpness) == (34.0, 1.0)
    assert means.ssim_y == pytest.approx(0.9)
    assert means.psnr_gain == 2.0
    assert means.psnr_gain_error == pytest.approx(1 / 3**0.5)


def test_one_picture_has_no_standard_error() -> None:
    single = Scores((30.0,), (0.8,), (0.7,))
    assert (quality(single, single).psnr_gain, quality(single, single).psnr_gain_error) == (0.0, 0.0)


def test_the_exported_file_is_measured(nearest_x2: Path, photograph: Callable[[int, int], np.ndarray]) -> None:
    low = photograph(40, 44).astype(np.uint8)
    high = low.repeat(2, axis=0).repeat(2, axis=1)
    measured, results = scores(nearest_x2, [(low, high)])
    np.testing.assert_array_equal(results[0], high)
    assert measured.psnr_y == (float("inf"),)
    assert measured.ssim_y[0] == pytest.approx(1)
    assert measured.sharpness == (1.0,)
