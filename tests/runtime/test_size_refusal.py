from __future__ import annotations

import pytest

from upconv.runtime.contract import Contract, Provenance, SizeLaw
from upconv.runtime.size_refusal import size_refusal

FOUR = SizeLaw(scale=2, multiple=4, minimum=8, maximum=33)


def contract(height: SizeLaw | None, width: SizeLaw | None = None, max_batch: int | None = None) -> Contract:
    origin = Provenance(source="a test")
    return Contract(name="m", task="decode", height=height, width=width, max_batch=max_batch, opset=18, provenance=origin)


@pytest.mark.parametrize(
    ("height", "sentence"),
    [
        (8, None),
        (32, None),
        (5, "the height of 5 does not fit m, which takes multiples of 4 from 8 to 33; the next larger one is 8"),
        (9, "the height of 9 does not fit m, which takes multiples of 4 from 8 to 33; the next larger one is 12"),
        (33, "the height of 33 does not fit m, which takes multiples of 4 from 8 to 33; the largest one is 32"),
        (36, "the height of 36 does not fit m, which takes multiples of 4 from 8 to 33; the largest one is 32"),
    ],
)
def test_a_size_that_the_law_does_not_cover_is_refused_with_one_that_it_covers(height: int, sentence: str | None) -> None:
    assert size_refusal(contract(FOUR, SizeLaw(scale=1)), [(1, 4, height, 3)]) == sentence


def test_the_width_and_a_minimum_are_checked() -> None:
    law = SizeLaw(scale=2, minimum=10)
    assert size_refusal(contract(law, law), [(1, 4, 10, 9)]) == (
        "the width of 9 does not fit m, which takes any length from 10 up; the next larger one is 10"
    )


@pytest.mark.parametrize(("batch", "fits"), [(3, True), (4, False)])
def test_the_largest_batch_is_checked(batch: int, fits: bool) -> None:
    assert (size_refusal(contract(None, max_batch=3), [(batch, 4, 9, 9)]) is None) == fits


def test_the_law_is_about_the_first_input_with_more_than_two_axes() -> None:
    assert size_refusal(contract(FOUR, FOUR), [(9,), (1, 4, 8, 8), (1, 1, 5, 5)]) is None
    assert size_refusal(contract(FOUR, FOUR), [(9, 9), (1, 4, 8, 5)]) is not None
    assert size_refusal(contract(FOUR, FOUR), [(9, 9)]) is None
    assert size_refusal(contract(None, None), [(1, 4, 5, 5)]) is None
