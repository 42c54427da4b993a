from __future__ import annotations

from collections.abc import Callable

import pytest

from upconv.export.turns import in_turns


def timed(ratios: list[float]) -> tuple[list[Callable[[], object]], Callable[[], float]]:
    """Two tasks, the second of which takes so many times as long in each round, and the clock that says so."""
    now, runs = [0.0], [0, 0]

    def task(number: int) -> None:
        round_ = runs[number] - 1  # the first run does not count
        now[0] += 1.0 if number == 0 else ratios[round_]
        runs[number] += 1

    return [lambda: task(0), lambda: task(1)], lambda: now[0]


def test_the_median_and_the_quartiles_of_a_rounds_quotients_are_told() -> None:
    tasks, clock = timed([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 9.0])
    first, second = in_turns(tasks, 9, clock=clock)
    assert (first.ratio, first.quartiles) == (1, (1, 1))
    assert second.ratio == pytest.approx(0.9)
    assert second.quartiles == pytest.approx((0.7, 1.1))
    assert second.ms == pytest.approx(900)


@pytest.mark.parametrize(("rounds", "budget_s", "measured"), [(9, float("inf"), 9), (9, 0, 5), (3, 0, 3)])
def test_five_rounds_are_measured_whatever_the_budget(rounds: int, budget_s: float, measured: int) -> None:
    tasks, clock = timed([1.0] * 10)
    seen: list[int] = []
    in_turns(tasks, rounds, seen.append, budget_s, clock)
    assert seen == list(range(1, measured + 1))


def test_each_round_begins_with_another_task() -> None:
    order: list[int] = []
    in_turns([lambda: order.append(0), lambda: order.append(1)], 3)
    assert order == [0, 1, 0, 1, 1, 0, 0, 1]


def test_tasks_take_turns() -> None:
    order: list[str] = []
    tasks: list[Callable[[], object]] = [lambda: order.append("a"), lambda: order.append("b")]
    timed = in_turns(tasks, 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert timed[0].ratio == 1
    assert timed[1].quartiles[0] <= timed[1].ratio <= timed[1].quartiles[1]
