"""The executor that sends tiles to the replicas of a tile deployment."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import numpy as np

from upconv.cluster.tile_replica import TileService
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import ModelError, NoEndpointError
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.remote.faults import BusyFault, EndpointFault
from upconv.runtime.remote.tile_race import MOST_FAILURES
from upconv.runtime.session import Model, Tensor

START_S = 180.0
"""Seconds for the first replica to start and to open its model."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class TileTransport(Protocol):
    """The way to the replicas of a deployment. Any number of threads may use it at the same time."""

    def call(self, method: str, arguments: Sequence[Any], timeout_s: float, cancellation: Cancellation) -> Any:
        """Return the result of a method of `TileReplica` on any replica.

        Raises `EndpointFault` if the replica ends or is silent for `timeout_s`, `BusyFault` if the deployment takes no more,
        `Cancelled` at once after a cancellation, and what the method raises.
        """


@dataclass(frozen=True)
class TileTerms:
    """The terms of the tiles of one model."""

    slots: int
    """The most tiles under way."""
    timeout_s: float = 60.0
    """The most seconds for one tile, with all attempts."""
    patience_s: float = 10.0
    """Seconds for which the deployment may be full."""
    tile_px: int = TILE_PX
    """The side of a tile in input pixels. It is not measured, because this process computes none."""


class RayExecutor:
    """An executor whose transport is a deployment handle. A tile whose replica ends is computed by another one."""

    batch = 1
    """The engines of the replicas form the batches, also of tiles of several ingress replicas."""

    def __init__(self, transport: TileTransport, terms: TileTerms, wait_s: Callable[[], float] = lambda: 0.0) -> None:
        """Use a deployment. `wait_s` returns the predicted seconds until all work of this process is done."""
        self._transport, self._terms, self._wait_s = transport, terms, wait_s
        self._caller = uuid.uuid4().hex
        self._service: TileService | None = None
        self.lost = False
        """True if the last tile found no replica."""

    @property
    def name(self) -> str:
        """The provider that computes the tiles; empty before the start."""
        return self._service.provider if self._service is not None else ""

    @property
    def tile_px(self) -> int:
        """The side of a tile in input pixels."""
        return self._terms.tile_px

    @property
    def slots(self) -> int:
        """The number of tiles under way."""
        return self._terms.slots

    def start(self, model: Model) -> None:
        """Wait for the first replica, which must serve the same file.

        Raises `ModelError` if it serves another one, and `NoEndpointError` if none starts in time.
        """
        service: TileService = self._retried("describe", (), Cancellation(), START_S)
        if service.sha256 != model.sha256:
            raise ModelError(
                f"the processes that compute tiles have another file of {model.contract.name}: its SHA-256 begins with "
                f"{service.sha256[:12]!r}, and that of {model.path} with {model.sha256[:12]!r}; give all machines the same file, and "
                "deploy again after a change"
            )
        self._service = service

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a tile on any replica.

        Raises `Cancelled` after a cancellation, `NoEndpointError` if no replica computes it in time, `ModelError` if it ends one
        replica after the other, and what the engine of the replica raises.
        """
        output = self._retried("compute", (tensor, self._caller, self._wait_s()), cancellation, self._terms.timeout_s)
        return np.array(output)  # Ray's array is read-only, and keeps its place in the object store

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        """Compute one pass of a tile on any replica. Raises what `run` raises."""
        arguments = (tensor, part, self._caller, self._wait_s())
        return [np.array(each) for each in self._retried("compute_pass", arguments, cancellation, self._terms.timeout_s)]

    def release(self) -> None:
        """Do nothing: the memory of tiles is that of the replicas."""

    def close(self) -> None:
        """Do nothing: Ray ends the replicas."""

    def _retried(self, method: str, arguments: Sequence[Any], cancellation: Cancellation, timeout_s: float) -> Any:
        started, failures, pause_s, busy_since = time.monotonic(), 0, _PAUSE_S, 0.0
        while True:
            cancellation.check()
            left_s = started + timeout_s - time.monotonic()
            try:
                result = self._transport.call(method, arguments, left_s, cancellation)
            except BusyFault as fault:
                busy_since = busy_since or time.monotonic()
                if time.monotonic() - busy_since > self._terms.patience_s:
                    raise NoEndpointError(f"the processes for tiles are busy: {fault}; add some, or try again later") from fault
            except EndpointFault as fault:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise ModelError(
                        f"a tile failed {failures} times: the process {fault}; check whether the tile ends the processes"
                    ) from fault
                if time.monotonic() - started + pause_s >= timeout_s:
                    self.lost = True
                    raise NoEndpointError(
                        f"no process computes tiles: the last one {fault}; see its log, or try again later"
                    ) from fault
            else:
                self.lost = False
                return result
            _wait(pause_s, cancellation)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _wait(seconds: float, cancellation: Cancellation) -> None:
    """Wait, but not longer than until a cancellation."""
    cancelled = Event()
    with cancellation.calling(cancelled.set):
        cancelled.wait(seconds)
