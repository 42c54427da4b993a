"""Counts per model, as Triton's clients read them. They belong to one event loop, so they need no lock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from upconv.service.inference_protocol.messages import VERSION

_STAGES = {"queue": "queue", "decode": "compute_input", "infer": "compute_infer", "encode": "compute_output"}


@dataclass
class Duration:
    """A number of events, and their total duration."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """Count one event."""
        self.count += 1
        self.ns += max(0, round(seconds * 1e9))


@dataclass
class Counts:
    """The counts of one model."""

    last_inference: int = 0
    """Milliseconds since 1970."""
    inference_count: int = 0
    """Pictures, or rows of batches."""
    execution_count: int = 0
    durations: dict[str, Duration] = field(
        default_factory=lambda: {name: Duration() for name in ("success", "fail", *_STAGES.values())}
    )


class Statistics:
    """The counts of every requested model."""

    def __init__(self) -> None:
        self._models: dict[str, Counts] = {}

    def succeeded(self, model: str, batch: int, seconds: Mapping[str, float]) -> None:
        """Count an inference and its stages."""
        counts = self._models.setdefault(model, Counts())
        counts.last_inference = int(time.time() * 1000)
        counts.inference_count += batch
        counts.execution_count += 1
        counts.durations["success"].add(sum(seconds.values()))
        for stage, name in _STAGES.items():
            counts.durations[name].add(seconds.get(stage, 0.0))

    def failed(self, model: str, seconds: float) -> None:
        """Count a failed inference."""
        self._models.setdefault(model, Counts()).durations["fail"].add(seconds)

    def of(self, model: str) -> dict[str, Any]:
        """Return the counts of one model, under the protocol's names."""
        counts = self._models.get(model, Counts())
        return {
            "name": model,
            "version": VERSION,
            "last_inference": counts.last_inference,
            "inference_count": counts.inference_count,
            "execution_count": counts.execution_count,
            "inference_stats": {name: asdict(duration) for name, duration in counts.durations.items()},
            "batch_stats": [],
        }
