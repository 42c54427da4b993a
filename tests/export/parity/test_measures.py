from __future__ import annotations

import numpy as np
import pytest

from upconv.export.parity.measures import measured, psnr_db
from upconv.runtime.contract import Pixels


def test_each_unit_of_a_known_error() -> None:
    exact = np.array([[0.0, 0.5, 1.0]])
    got = exact - np.array([[0.0, 2.0**-10, 0.0]])
    found = measured([[exact]], [[got]], Pixels())
    assert found.max_abs == 2.0**-10
    assert found.max_relative == 2.0**-9
    assert found.max_ulp == 2.0**-10 / 2.0**-24
    assert found.psnr_db == pytest.approx(10 * np.log10(3 * 2.0**20))
    assert found.max_8bit == 1  # 127.5 rounds to 128


def test_no_error_has_no_decibels_and_what_is_no_picture_no_pixels() -> None:
    exact = np.arange(4.0)
    found = measured([[exact]], [[exact.astype(np.float32)]], None)
    assert (found.max_abs, found.max_ulp, found.psnr_db, found.max_8bit) == (0, 0, None, None)


def test_the_worst_of_several_outputs_and_inputs_counts() -> None:
    zeros, ones = np.zeros(3), np.ones(3)
    found = measured([[ones, ones], [ones, ones]], [[ones, ones], [ones, zeros]], Pixels())
    assert found.max_abs == 1
    assert found.psnr_db == 0
    assert found.max_8bit == 0  # the second output is no picture


def test_decibels_are_of_the_range_of_pixels_or_of_the_values() -> None:
    exact = np.array([0.0, 10.0])
    assert psnr_db(exact, exact + 0.1, None) == pytest.approx(40)
    assert psnr_db(exact, exact + 0.1, Pixels(low=-50, high=50)) == pytest.approx(60)


@pytest.mark.parametrize(("size", "relative"), [(0.0999, 0.0), (0.1, 0.5)])
def test_relative_errors_are_of_values_of_a_tenth_of_the_largest(size: float, relative: float) -> None:
    exact = np.array([size, 1.0])
    found = measured([[exact]], [[np.array([1.5 * size, 1.0])]], None)
    assert found.max_relative == pytest.approx(relative)
    assert (found.max_ulp > 0) is (relative > 0)
