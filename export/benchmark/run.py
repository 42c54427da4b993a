"""Peers measured in turns, in one run, with how far each is from the first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from upconv.export.benchmark.peers import PEERS, BenchmarkSubject, Peer, Run, opened_by
from upconv.export.turns import in_turns


@dataclass(frozen=True)
class PeerTiming:
    """What was found of one peer."""

    name: str
    speed: float | None = None
    """How many times as fast as the first that could be measured."""
    quartiles: tuple[float, float] | None = None
    """Of the same, over the rounds."""
    ms: float | None = None
    """Processor time of one run, median."""
    error: float | None = None
    """Largest difference from the first's output, per unit of its range."""
    missing: str | None = None
    """Why it was not measured."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def bench(
    subject: BenchmarkSubject,
    peers: Sequence[Peer] = PEERS,
    *,
    rounds: int = 30,
    budget_s: float = 60.0,
    after_round: Callable[[int], None] = lambda _: None,
) -> list[PeerTiming]:
    """Each peer's speed beside the first's, one thread each, in turns."""
    return measured({peer.name: opened_by(peer, subject) for peer in peers}, rounds, budget_s, after_round)


def measured(
    tasks: Mapping[str, Run | str], rounds: int, budget_s: float, after_round: Callable[[int], None] = lambda _: None
) -> list[PeerTiming]:
    """Rows for tasks by name, or for why there is none.

    Time is the process's: on one thread that is what the work takes, whatever other programs do meanwhile.
    """
    runs = {name: task for name, task in tasks.items() if not isinstance(task, str)}
    outputs = [np.asarray(run()[0]) for run in runs.values()]
    timings = in_turns(list(runs.values()), rounds, after_round, budget_s, time.process_time) if runs else []
    rows = {
        name: PeerTiming(
            name,
            1 / timing.ratio,
            (1 / timing.quartiles[1], 1 / timing.quartiles[0]),
            timing.ms,
            float(np.abs(output - outputs[0]).max() / max(float(np.ptp(outputs[0])), 1e-12)),
        )
        for name, timing, output in zip(runs, timings, outputs, strict=True)
    }
    return [rows[name] if not isinstance(task, str) else PeerTiming(name, missing=task) for name, task in tasks.items()]
