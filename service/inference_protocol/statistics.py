"""Statistics per version of a model, in the format of Triton."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_STAGES = {"queue": "queue", "decode": "compute_input", "infer": "compute_infer", "encode": "compute_output"}


@dataclass
class Duration:
    """A number of events and their total time."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """Count one event."""
        self.count += 1
        self.ns += max(0, round(seconds * 1e9))


@dataclass
class Counts:
    """The statistics of one model."""

    last_inference: int = 0
    """Time of the last inference, in milliseconds since 1970."""
    inference_count: int = 0
    """Inferred items: pictures, or the first axis of tensors."""
    execution_count: int = 0
    durations: dict[str, Duration] = field(
        default_factory=lambda: {name: Duration() for name in ("success", "fail", *_STAGES.values())}
    )


class Statistics:
    """The statistics of all models. It belongs to one event loop, so it needs no lock."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Counts] = {}

    def succeeded(self, model: str, version: str, batch: int, seconds: Mapping[str, float]) -> None:
        """Count a successful inference and the seconds of its stages."""
        counts = self._models.setdefault((model, version), Counts())
        counts.last_inference = int(time.time() * 1000)
        counts.inference_count += batch
        counts.execution_count += 1
        counts.durations["success"].add(sum(seconds.values()))
        for stage, name in _STAGES.items():
            counts.durations[name].add(seconds.get(stage, 0.0))

    def failed(self, model: str, version: str, seconds: float) -> None:
        """Count a failed inference."""
        self._models.setdefault((model, version), Counts()).durations["fail"].add(seconds)

    def of(self, model: str, version: str) -> dict[str, Any]:
        """Return the statistics of one version of a model as JSON of the protocol."""
        counts = self._models.get((model, version), Counts())
        return {
            "name": model,
            "version": version,
            "last_inference": counts.last_inference,
            "inference_count": counts.inference_count,
            "execution_count": counts.execution_count,
            "inference_stats": {name: asdict(duration) for name, duration in counts.durations.items()},
            "batch_stats": [],
        }
