from __future__ import annotations

import numpy as np
import pytest

from upconv.export.backends.exact.interpolation import ResizedAxis

DOUBLED = ResizedAxis(2, 4, 2.0, (0.0, 1.0), np.dtype(np.float64))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("half_pixel", [-0.25, 0.25, 0.75, 1.25]),
        ("asymmetric", [0, 0.5, 1, 1.5]),
        ("align_corners", [0, 1 / 3, 2 / 3, 1]),
        ("tf_crop_and_resize", [0, 1 / 3, 2 / 3, 1]),
    ],
)
def test_positions_follow_the_standard(mode: str, expected: list[float]) -> None:
    np.testing.assert_allclose(DOUBLED.places(mode), expected, atol=1e-15)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("exclude", [0, 1])
def test_the_weights_of_each_output_pixel_sum_to_one(mode: str, exclude: int) -> None:
    attributes = {"mode": mode, "cubic_coeff_a": -0.75, "exclude_outside": exclude}
    weights = DOUBLED.matrix(DOUBLED.places("half_pixel"), attributes)
    assert weights.shape == (4, 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize(("rounding", "expected"), [("round_prefer_floor", [0, 0, 1, 1]), ("round_prefer_ceil", [0, 1, 1, 1])])
def test_halves_are_rounded_by_the_nearest_mode(rounding: str, expected: list[int]) -> None:
    attributes = {"mode": "nearest", "nearest_mode": rounding}
    assert DOUBLED.matrix(DOUBLED.places("asymmetric"), attributes).argmax(axis=1).tolist() == expected
