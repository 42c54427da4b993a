from __future__ import annotations

import pytest

from upconv.export.sizes import InputAxis, far_shapes, find_axes, trial_shapes
from upconv.runtime.contract import SizeLaw


@pytest.mark.parametrize(("maximum", "longest"), [(None, 76), (76, 76), (75, 72), (32, 32)])
def test_no_trial_is_beyond_the_maximum(maximum: int | None, longest: int) -> None:
    law = SizeLaw(scale=2, multiple=4, minimum=8, maximum=maximum)
    axes = [InputAxis(index, law, free=True) for index in (2, 3)]
    assert max(height for ((_, _, height, _),) in trial_shapes(((1, 3, 32, 32),), axes)) == longest


def test_far_trials_are_long_along_one_axis_or_large_batches() -> None:
    axes = [InputAxis(2, SizeLaw(scale=2, multiple=4), free=True), InputAxis(3, SizeLaw(scale=2, maximum=40), free=True)]
    assert far_shapes(((1, 3, 32, 32),), axes) == [((1, 3, 132, 32),), ((1, 3, 32, 40),), ((9, 3, 32, 32),)]
    assert far_shapes(((1, 3, 32, 32),), axes, max_batch=4)[-1] == ((4, 3, 32, 32),)


def test_trials_hold_the_minimum_odd_and_non_square_sizes_and_a_batch() -> None:
    axes = find_axes(lambda shapes: tuple((*s[:2], 2 * s[2], 2 * s[3]) for s in shapes), ((1, 3, 32, 32),))
    shapes = [shape for (shape,) in trial_shapes(((1, 3, 32, 32),), axes)]
    assert len(shapes) >= 4
    assert (1, 3, 1, 1) in shapes
    assert any(h % 2 and h != w for _, _, h, w in shapes)
    assert any(n > 1 for n, *_ in shapes)


def test_the_sizes_that_are_tried() -> None:
    axes = [InputAxis(index, SizeLaw(scale=2, multiple=4, minimum=8), free=True) for index in (2, 3)]
    shapes = [shape for (shape,) in trial_shapes(((1, 3, 32, 32),), axes)]
    assert shapes == [
        (1, 3, 32, 32),
        (1, 3, 8, 8),  # the minimum
        (1, 3, 36, 44),
        (1, 3, 52, 40),
        (1, 3, 28, 60),
        (1, 3, 76, 24),
        (3, 3, 76, 24),  # a batch
    ]
