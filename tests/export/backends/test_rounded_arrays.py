from __future__ import annotations

import numpy as np

from upconv.export.backends.rounded_arrays import LARGEST, RandomlyRoundedArrays

random = np.random.default_rng(0)
VALUES = random.normal(size=10_000) * 10.0 ** random.integers(-20, 20, 10_000)


def test_a_value_goes_to_one_of_its_two_neighbours_without_bias() -> None:
    rounded = RandomlyRoundedArrays(0).rounded(VALUES)
    nearest = VALUES.astype(np.float32)
    ulps = (rounded - VALUES) / np.spacing(np.abs(nearest)).astype(np.float64)
    assert np.abs(ulps).max() <= 1
    assert abs(ulps.mean()) < 0.02
    assert (np.abs(ulps) > 0.5).any()


def test_values_of_float32_and_of_other_types_stay() -> None:
    rounding = RandomlyRoundedArrays(0)
    held = VALUES.astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(rounding.rounded(held), held)
    assert rounding.exact(held)
    assert not rounding.exact(VALUES)
    for value in (np.arange(4), np.ones(2, np.float32), None):
        assert rounding.rounded(value) is value
        assert rounding.scattered(value) is value
        assert rounding.exact(value)


def test_scattered_values_are_off_by_half_a_unit_at_most() -> None:
    off = np.abs(RandomlyRoundedArrays(0).scattered(VALUES) / VALUES - 1)
    assert 2.0**-25 < off.max() <= 2.0**-24


def test_the_largest_value_is_rounded_and_a_larger_one_stays() -> None:
    values = np.array([LARGEST, np.nextafter(LARGEST, np.inf), 1e300, np.inf])
    np.testing.assert_array_equal(RandomlyRoundedArrays(0).rounded(values), values)
