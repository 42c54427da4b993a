"""Tile replicas in the process of the tests, without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.service.conftest import decoder  # noqa: F401, a fixture

from upconv.cluster.tile_replica import TileOrder, TileReplica
from upconv.runtime.cancellation import Cancellation


class InProcess:
    """A transport to a replica in this process. Faults are raised first, one for each call."""

    def __init__(self, replica: TileReplica) -> None:
        self.replica = replica
        self.faults: list[Exception] = []
        self.calls: list[str] = []

    def call(self, method: str, arguments: Sequence[Any], timeout_s: float, cancellation: Cancellation) -> Any:
        self.calls.append(method)
        if self.faults:
            raise self.faults.pop(0)

        async def run() -> Any:
            return await getattr(self.replica, method)(*arguments)

        return asyncio.run(run())


@pytest.fixture
def replica_of() -> Iterator[Callable[..., TileReplica]]:
    """Makes replicas, and ends their engines."""
    made: list[TileReplica] = []

    def make(path: Path, **order: Any) -> TileReplica:
        made.append(TileReplica(TileOrder(path, **order)))
        return made[-1]

    yield make
    for replica in made:
        replica.__del__()


@pytest.fixture
def transport(replica_of: Callable[..., TileReplica], nearest_x2: Path) -> InProcess:
    """A transport to a replica of the model `nearest_x2`."""
    return InProcess(replica_of(nearest_x2))
