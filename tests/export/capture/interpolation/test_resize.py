from __future__ import annotations

import math

import pytest

from upconv.export.capture.interpolation.resize import same_lengths


@pytest.mark.parametrize("scale", [0.5, 1.5, 2.0, 3.0])
def test_scales_that_float32_holds_exactly_give_the_lengths_of_torch(scale: float) -> None:
    assert same_lengths(scale)


def test_a_scale_that_rounds_up_to_another_length_is_found() -> None:
    assert math.floor(50 * 2.3) == 114
    assert not same_lengths(2.3)
