"""Time, measured in turns, so that a slow moment of the machine affects every candidate alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 5
"""The number of rounds that are measured even if the budget is spent."""


@dataclass(frozen=True)
class Timing:
    """The time of one task, alone and relative to the first task."""

    ms: float
    """The median over the rounds, in milliseconds of the clock."""
    ratio: float
    """The time divided by that of the first task in the same round, median over the rounds."""
    quartiles: tuple[float, float]
    """The lower and upper quartile of that quotient."""


def in_turns(
    tasks: Sequence[Callable[[], object]],
    rounds: int,
    after_round: Callable[[int], None] = lambda _: None,
    budget_s: float = float("inf"),
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time every task once per round, after one run of each that does not count.

    Each round begins with another task. `after_round` is called with the number of rounds so far. When `budget_s` is
    spent, no further round begins after the first `FEWEST`.
    """
    started = time.perf_counter()
    for task in tasks:
        task()
    times = np.empty((len(tasks), rounds))
    turn = 0
    while turn < rounds and (turn < FEWEST or time.perf_counter() - started < budget_s):
        for offset in range(len(tasks)):
            index = (turn + offset) % len(tasks)
            before = clock()
            tasks[index]()
            times[index, turn] = (clock() - before) * 1000
        turn += 1
        after_round(turn)
    return _timings(times[:, :turn])


def _timings(times: np.ndarray) -> list[Timing]:
    quotients = times / times[0]
    low, middle, high = np.quantile(quotients, [0.25, 0.5, 0.75], axis=1).tolist()
    return [Timing(*each) for each in zip(np.median(times, axis=1).tolist(), middle, zip(low, high, strict=True), strict=True)]
