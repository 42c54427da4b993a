from __future__ import annotations

import numpy as np
import pytest

from upconv.export.backends.exact.windows import padded, split_padding, windows


def test_defaults_are_stride_one_and_no_padding() -> None:
    found = windows([5], [3], None, None, None, None)
    assert (found.strides, found.dilations, found.before, found.after) == ((1,), (1,), (0,), (0,))
    assert windows([9], [3], None, [2], None, None).extent == (5,)


@pytest.mark.parametrize(("auto_pad", "before", "after"), [("SAME_UPPER", 0, 1), ("SAME_LOWER", 1, 0), ("VALID", 0, 0)])
def test_automatic_padding(auto_pad: str, before: int, after: int) -> None:
    found = windows([6], [3], [2], None, [9, 9], auto_pad)
    assert (found.before, found.after) == ((before,), (after,))


def test_an_odd_total_goes_to_one_end() -> None:
    assert split_padding([3], "SAME_UPPER") == (1, 2)
    assert split_padding([3], "SAME_LOWER") == (2, 1)


def test_negative_borders_crop() -> None:
    line = np.arange(4.0).reshape(1, 1, 4)
    assert padded(line, [1], [-2], 9.0).tolist() == [[[9, 0, 1]]]
    assert padded(line, [-1], [0]).tolist() == [[[1, 2, 3]]]


def test_windows_follow_stride_and_dilation() -> None:
    line = np.arange(7.0).reshape(1, 1, 7)
    assert windows([7], [2], [3], [2], None, None).cut(line)[0, 0].tolist() == [[0, 2], [3, 5]]
