from __future__ import annotations

from upconv.export.turns import in_turns


def test_rounds_end_with_the_budget_but_not_before_the_first_few() -> None:
    counts = [0, 0]

    def task(n: int) -> None:
        counts[n] += 1

    timed = in_turns([lambda: task(0), lambda: task(1)], 100, budget_s=0)
    assert counts == [6, 6]
    assert [len(t.quartiles) for t in timed] == [2, 2]


def test_a_ratio_is_relative_to_the_first_task_and_the_warm_up_does_not_count() -> None:
    now = 0.0

    def task(seconds: float) -> None:
        nonlocal now
        now += seconds

    rounds: list[int] = []
    timed = in_turns([lambda: task(2), lambda: task(3)], 4, rounds.append, clock=lambda: now)
    assert [(t.ms, t.ratio, t.quartiles) for t in timed] == [(2000, 1, (1, 1)), (3000, 1.5, (1.5, 1.5))]
    assert rounds == [1, 2, 3, 4]


def test_each_round_begins_with_another_task() -> None:
    order: list[str] = []
    in_turns([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
