from __future__ import annotations

import pytest

from upconv.service.pace import LOWEST_BYTES_PER_S, Pace, bytes_in

NEEDED = 10 * LOWEST_BYTES_PER_S


def test_bytes_in_a_window() -> None:
    assert (bytes_in(10), bytes_in(0.0001)) == (NEEDED, 1)


@pytest.mark.parametrize(
    ("moved", "waiting", "slow"),
    [
        (NEEDED, 10 * NEEDED, False),
        (NEEDED - 1, 10 * NEEDED, True),
        (99, 99, False),
        (98, 99, True),
    ],
)
def test_lowest_pace(moved: int, waiting: int, slow: bool) -> None:
    pace = Pace(10)
    assert not pace.too_slow(100, 5000, waiting)
    assert not pace.too_slow(109.9, 5000, waiting), "the window has not ended"
    assert pace.too_slow(110, 5000 + moved, waiting) is slow


def test_each_window_counts_anew() -> None:
    pace = Pace(10)
    pace.too_slow(0, 0, NEEDED)
    assert not pace.too_slow(10, 5 * NEEDED, NEEDED)
    assert not pace.too_slow(19, 5 * NEEDED, NEEDED)
    assert pace.too_slow(20, 5 * NEEDED, NEEDED), "what moved before does not count"


def test_time_in_which_nothing_waits_does_not_count() -> None:
    pace = Pace(10)
    pace.too_slow(0, 0, NEEDED)
    pace.stop()
    assert not pace.too_slow(50, 0, NEEDED)
