"""Autoscaling on the predicted seconds of waiting work, which the ingress replicas state with each tile."""

from __future__ import annotations

from typing import Any

WAIT = "predicted_wait_s"
"""The name of the measurement that tile replicas report."""
FRESH_S = 10.0
"""Seconds for which the statement of a caller counts. A caller that is silent has no tiles."""
TOLERANCE = 0.1
"""The part by which the wait may differ from the target without a change."""


class HeardWaits:
    """The waits that the callers of a replica have stated."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[float, float]] = {}

    def hear(self, caller: str, wait_s: float, now: float) -> None:
        """Take a statement of `caller` at the time `now`, in seconds."""
        self._waits[caller] = wait_s, now

    def total_s(self, now: float) -> float:
        """Return the sum of the fresh statements of all callers, and forget the others."""
        self._waits = {caller: heard for caller, heard in self._waits.items() if now - heard[1] <= FRESH_S}
        return sum(wait_s for wait_s, _ in self._waits.values())


class PredictedWait:
    """A policy of Ray Serve that holds the predicted wait at a target, as the autoscaler of docs/kubernetes.md does."""

    def __init__(self, target_s: float = 2.0) -> None:
        self._target_s = target_s

    def __call__(self, context: Any) -> tuple[float, dict[str, Any]]:
        """Return the wanted number of replicas for an `AutoscalingContext`. Ray applies bounds and delays."""
        now = max(1, context.current_num_replicas)
        waits = (context.aggregated_metrics or {}).get(WAIT, {})
        return wanted_replicas(now, max(waits.values(), default=0.0), self._target_s), {}


def wanted_replicas(replicas: int, wait_s: float, target_s: float) -> float:
    """Return the number of replicas that brings the predicted wait of `replicas` to the target."""
    ratio = wait_s / target_s
    return float(replicas) if abs(ratio - 1) <= TOLERANCE else max(1.0, replicas * ratio)
