"""Time measured in turns, so that a slow moment of the machine affects every candidate alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 5
"""The number of rounds that are measured in any case."""


@dataclass(frozen=True)
class Timing:
    """The duration of a task, relative to the first task of the measurement."""

    ms: float
    """Median over the rounds, in milliseconds."""
    ratio: float
    """Duration relative to the first task: the median of the ratios within each round."""
    quartiles: tuple[float, float]
    """Quartiles of these ratios."""


def in_turns(
    tasks: Sequence[Callable[[], object]],
    rounds: int,
    after_round: Callable[[int], None] = lambda _: None,
    budget_s: float = float("inf"),
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time every task once per round, after one warm-up run. Each round starts with another task.

    After `budget_s` seconds no further round starts, except for the first few.
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
