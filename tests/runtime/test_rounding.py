"""Rounding of lengths, alone and in a size law."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from upconv.runtime.contract import SizeLaw
from upconv.runtime.rounding import ceil_div, round_down, round_up

LENGTHS = st.integers(-10_000, 10_000)
MULTIPLES = st.integers(1, 4096)
LAWS = st.builds(SizeLaw, scale=st.just(2.0), multiple=MULTIPLES, minimum=MULTIPLES)


@given(number=LENGTHS, divisor=MULTIPLES)
def test_ceil_div_is_the_exact_quotient_rounded_up(number: int, divisor: int) -> None:
    assert ceil_div(number, divisor) == math.ceil(Fraction(number, divisor))


@given(length=LENGTHS, multiple=MULTIPLES)
def test_a_length_lies_between_its_roundings(length: int, multiple: int) -> None:
    down, up = round_down(length, multiple), round_up(length, multiple)
    assert down <= length <= up
    assert down % multiple == up % multiple == 0
    assert up - down == (0 if length % multiple == 0 else multiple)


@given(law=LAWS, length=LENGTHS)
def test_fitted_is_the_shortest_length_that_the_law_covers(law: SizeLaw, length: int) -> None:
    fitted = law.fitted(length)
    assert fitted >= length
    assert law.output(fitted) == 2 * fitted
    shorter = fitted - law.multiple
    assert shorter < length or law.output(shorter) is None
    assert law.fitted(fitted) == fitted


@given(law=LAWS, length=LENGTHS)
def test_fitted_down_is_the_longest_length_that_the_law_covers(law: SizeLaw, length: int) -> None:
    fitted = law.fitted_down(length)
    if fitted is None:
        assert length < law.fitted(0)
        return
    assert fitted <= length < fitted + law.multiple
    assert law.output(fitted) == 2 * fitted
    assert law.fitted(fitted) == fitted
