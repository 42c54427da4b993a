from __future__ import annotations

import pytest

from upconv.export.sizes.fitting import following, line, with_bounds
from upconv.runtime.contract import SizeLaw


def test_the_axis_that_changes_follows() -> None:
    assert following([((1, 3, 8),), ((1, 3, 9),)], 2) == (0, 2)
    assert following([((1, 8), (1, 4)), ((1, 8), (1, 5))], 2) == (1, 1)
    assert following([((1, 8),), ((1, 8),)], 1) is None
    assert following([((1, 8),), ((1, 8, 1),)], 1) is None


@pytest.mark.parametrize(
    ("results", "law"),
    [([2, 4, 6], SizeLaw(scale=2)), ([1, 3, 5], SizeLaw(scale=2, offset=-1)), ([3, 3, 3], None), ([1, 2, 4], None)],
)
def test_a_law_goes_through_all_results(results: list[int], law: SizeLaw | None) -> None:
    assert line([1, 2, 3], results, 1) == law


def test_a_minimum_is_above_every_length_near_it_that_fails() -> None:
    law = with_bounds(SizeLaw(scale=1), 32, lambda n: None if n in (3, 9) else n)
    assert law == SizeLaw(scale=1, minimum=10)
