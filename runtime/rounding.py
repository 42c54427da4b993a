"""Integer division and rounding to multiples, for the lengths of tiles, strides and blocks."""

from __future__ import annotations


def ceil_div(number: int, divisor: int) -> int:
    """Return `number / divisor`, rounded up to a whole number."""
    return -(-number // divisor)


def round_up(length: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is at least `length`."""
    return ceil_div(length, multiple) * multiple


def round_down(length: int, multiple: int) -> int:
    """Return the largest multiple of `multiple` that is at most `length`."""
    return length // multiple * multiple
