from __future__ import annotations

import pytest

from upconv.models.training.comparison.plots import Bar, Scale, Series, bars, lines


def test_ticks_are_round_and_within() -> None:
    assert Scale((0, 10), (0, 100)).ticks == [0, 2, 4, 6, 8, 10]
    assert Scale((0.31, 0.52), (0, 1)).ticks == pytest.approx([0.35, 0.4, 0.45, 0.5])
    assert Scale((3, 3), (0, 1))(3) == 0


def test_charts_of_one_value_and_of_odd_names() -> None:
    assert "&lt;b&gt;" in lines([Series("<b>", [1, 1], [2, 2])], "x", "y", "title")
    assert bars([Bar("a", 0.0, (0.0, 0.0), "0 ms")], "title").count("<rect") == 1
