from __future__ import annotations

import pytest

from upconv.export.sizes import InputAxis, SizeWay, first_break, ways_from
from upconv.export.sizes.ways import LARGEST_BATCH, LARGEST_PX
from upconv.runtime.contract import SizeLaw

EXAMPLE = ((1, 3, 30, 32),)
HEIGHT = InputAxis(2, SizeLaw(scale=2, multiple=8, minimum=16), free=True)
WIDTH = InputAxis(3, SizeLaw(scale=2), free=True)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9, 99, 100])
def test_the_first_break_is_found(limit: int) -> None:
    assert first_break(lambda n: n < limit, 100) == limit


@pytest.mark.parametrize("last", [0, 1, 99, 100])
def test_without_a_break_up_to_the_last_there_is_none(last: int) -> None:
    assert first_break(lambda n: n < 101, last) is None


def test_lengths_are_multiples_and_shrink_down_to_the_minimum() -> None:
    growing, shrinking = SizeWay((HEIGHT,), EXAMPLE, 1, 9), SizeWay((HEIGHT,), EXAMPLE, -1, 9)
    assert [growing.shapes(n)[0][2] for n in range(3)] == [32, 40, 48]
    assert [shrinking.shapes(n)[0][2] for n in range(4)] == [32, 24, 16, 16]


def test_the_ways_are_each_axis_all_of_them_smaller_ones_and_the_batch() -> None:
    ways = ways_from(EXAMPLE, [HEIGHT, WIDTH, InputAxis(1, None, free=False)], free_batch=True)
    assert [(len(way.axes), way.direction) for way in ways] == [(1, 1), (1, 1), (2, 1), (1, -1), (1, -1), (0, 1)]
    assert ways[2].shapes(2) == ((1, 3, 48, 34),)
    assert ways[-1].shapes(4) == ((5, 3, 30, 32),)
    assert ways[-1].last == LARGEST_BATCH
    assert ways[0].last * 8 == ways[1].last == LARGEST_PX


def test_a_batch_that_is_fixed_is_no_way() -> None:
    assert all(way.axes for way in ways_from(EXAMPLE, [WIDTH], free_batch=False))


def test_lengths_stay_within_the_maximum() -> None:
    law = SizeLaw(scale=2, multiple=8, maximum=50)
    way = SizeWay((InputAxis(2, law, free=True),), EXAMPLE, 1, 9)
    assert [way.shapes(n)[0][2] for n in range(4)] == [32, 40, 48, 48]
