"""The measurement of peers in turns, with the error of each peer relative to the first."""

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
    """The speed and the error of one peer; all figures are `None` if it could not run."""

    name: str
    """The name of the peer."""
    speed: float | None = None
    """The speed relative to the first peer that ran, median over the rounds."""
    quartiles: tuple[float, float] | None = None
    """The lower and upper quartile of the relative speed."""
    ms: float | None = None
    """The processor time of one run, in milliseconds, median over the rounds."""
    error: float | None = None
    """The largest difference from the first peer's output, divided by the range of that output."""
    missing: str | None = None
    """The reason why the peer was not measured, or `None`."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON."""
        return asdict(self)


def bench(
    subject: BenchmarkSubject,
    peers: Sequence[Peer] = PEERS,
    *,
    rounds: int = 30,
    budget_s: float = 60.0,
    after_round: Callable[[int], None] = lambda _: None,
) -> list[PeerTiming]:
    """Measure the peers in turns, with one thread each, and return one timing for each peer."""
    return measured({peer.name: opened_by(peer, subject) for peer in peers}, rounds, budget_s, after_round)


def measured(
    tasks: Mapping[str, Run | str], rounds: int, budget_s: float, after_round: Callable[[int], None] = lambda _: None
) -> list[PeerTiming]:
    """Return the timings of tasks by name; a text in place of a task is the reason why it is missing.

    The clock is the processor time of this process, which other programs do not influence.
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
