from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from upconv.cluster.predicted_wait import FRESH_S, WAIT, HeardWaits, PredictedWait, wanted_replicas


@pytest.mark.parametrize(
    ("replicas", "wait_s", "wanted"),
    [(1, 0.0, 1.0), (4, 0.0, 1.0), (2, 2.0, 2.0), (2, 2.1, 2.0), (2, 4.0, 4.0), (4, 1.0, 2.0), (3, 3.0, 4.5)],
)
def test_the_wait_is_brought_to_the_target(replicas: int, wait_s: float, wanted: float) -> None:
    assert wanted_replicas(replicas, wait_s, 2.0) == wanted


def test_what_a_caller_stated_counts_for_a_while() -> None:
    heard = HeardWaits()
    heard.hear("a", 3.0, 100.0)
    heard.hear("a", 2.0, 101.0)
    heard.hear("b", 5.0, 101.0 + FRESH_S)
    assert heard.total_s(101.0 + FRESH_S) == 7.0
    assert heard.total_s(101.5 + FRESH_S) == 5.0


@pytest.mark.parametrize(
    ("metrics", "wanted"), [({WAIT: {"one": 1.0, "two": 8.0}}, 8.0), ({WAIT: {}}, 1.0), ({}, 1.0), (None, 1.0)]
)
def test_the_longest_wait_of_the_replicas_decides(metrics: Any, wanted: float) -> None:
    context = SimpleNamespace(current_num_replicas=2, aggregated_metrics=metrics)
    assert PredictedWait(2.0)(context) == (wanted, {})
