from __future__ import annotations

from collections.abc import Callable

from upconv.export.turns import in_turns


def test_tasks_take_turns() -> None:
    order: list[str] = []
    tasks: list[Callable[[], object]] = [lambda: order.append("a"), lambda: order.append("b")]
    timed = in_turns(tasks, 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert timed[0].ratio == 1
    assert timed[1].quartiles[0] <= timed[1].ratio <= timed[1].quartiles[1]
