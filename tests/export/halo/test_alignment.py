from __future__ import annotations

from fractions import Fraction

import pytest

from upconv.export.halo.alignment import Alignment, surroundings_for
from upconv.runtime.contract import Context, Crop, SizeLaw
from upconv.runtime.tiling_axis import Surroundings


@pytest.mark.parametrize(
    ("scale", "offset", "shift", "expected"),
    [
        (2, -28, Fraction(7), (7, 7, 0, 0)),
        (2, -28, Fraction(5), (5, 9, 0, 0)),  # different on each side
        (1, -4, Fraction(2), (2, 2, 0, 0)),
        (2, 2, Fraction(-1, 2), (0, 0, 1, 1)),  # a transposed convolution without padding
        (2, -3, Fraction(3, 4), (1, 1, 1, 0)),  # half an output pixel: the earlier output
        (2, -1, Fraction(1, 4), (0, 1, 0, 1)),  # a transposed convolution without output padding
        (3, -4, Fraction(2, 3), (1, 1, 1, 1)),
    ],
)
def test_context_and_crop_make_the_result_a_multiple_of_the_picture(
    scale: int, offset: int, shift: Fraction, expected: tuple[int, int, int, int]
) -> None:
    law = SizeLaw(scale=scale, offset=offset)
    around = surroundings_for(law, shift)
    assert around == Surroundings(*expected)
    assert around.balance(law)


def test_what_is_empty_is_not_stated() -> None:
    plain = Alignment(Surroundings(), Surroundings())
    assert (plain.context, plain.crop) == (None, None)
    mixed = Alignment(Surroundings(1, 2, 0, 1), Surroundings())
    assert mixed.context == Context(top=1, bottom=2, left=0, right=0)
    assert mixed.crop == Crop(top=0, bottom=1, left=0, right=0)
