"""The measurement of peers in turns, in one run, with the difference of their outputs."""

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
    """The result for one peer."""

    name: str
    speed: float | None = None
    """Speed relative to the first peer that can be measured."""
    quartiles: tuple[float, float] | None = None
    """Quartiles of the speed over the rounds."""
    ms: float | None = None
    """Processor time of one run in milliseconds, median."""
    error: float | None = None
    """Largest difference from the first peer's output, per unit of its range."""
    missing: str | None = None
    """The reason why the peer is not measured, or `None`."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return asdict(self)


def bench(
    subject: BenchmarkSubject,
    peers: Sequence[Peer] = PEERS,
    *,
    rounds: int = 30,
    budget_s: float = 60.0,
    after_round: Callable[[int], None] = lambda _: None,
) -> list[PeerTiming]:
    """Return each peer's speed relative to the first, with one thread each, measured in turns."""
    return measured({peer.name: opened_by(peer, subject) for peer in peers}, rounds, budget_s, after_round)


def measured(
    tasks: Mapping[str, Run | str], rounds: int, budget_s: float, after_round: Callable[[int], None] = lambda _: None
) -> list[PeerTiming]:
    """Return a result for each task, or for the reason why there is no task.

    Time is the processor time of this process. With one thread, other programs do not change it.
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
