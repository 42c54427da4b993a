from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.cluster.predicted_wait import WAIT
from upconv.cluster.tile_replica import TileOrder, TileReplica
from upconv.models import bundled
from upconv.runtime import Upscaler, open_model
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, DeviceLostError, ModelError
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.providers import concurrency_for
from upconv.runtime.session import Tensor

Made = Callable[..., TileReplica]
MODEL = bundled("bicubic-x2")


def tile(height: int = 24, width: int = 32) -> Tensor:
    return np.random.default_rng(0).random((1, 3, height, width), np.float32)


def test_a_tile_is_that_of_the_engine(replica_of: Made) -> None:
    replica = replica_of(MODEL)
    service = asyncio.run(replica.describe())
    model = open_model(MODEL)
    assert (service.sha256, service.provider) == (model.sha256, "CPUExecutionProvider")
    output = asyncio.run(replica.compute(tile(), "me", 0.0))
    assert output.shape == (1, 3, 48, 64)
    with Upscaler(MODEL) as upscaler:
        assert np.array_equal(output[0], upscaler.engine.enlarge(tile()[0]))


def test_the_waits_of_the_callers_are_reported(replica_of: Made) -> None:
    replica = replica_of(MODEL)
    assert replica.record_autoscaling_stats() == {WAIT: 0.0}
    for caller, wait_s in (("a", 1.5), ("b", 2.0), ("a", 1.0)):
        asyncio.run(replica.compute(tile(), caller, wait_s))
    assert replica.record_autoscaling_stats() == {WAIT: 3.0}


def test_a_cancelled_task_stops_the_engine(replica_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stopped = threading.Event(), threading.Event()
    replica = replica_of(MODEL)

    def run(executor: LocalExecutor, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        with cancellation.calling(stopped.set):
            begun.set()
            assert stopped.wait(20)
        raise Cancelled("it was cancelled")

    monkeypatch.setattr(LocalExecutor, "run", run)

    async def cancelled() -> None:
        task = asyncio.create_task(replica.compute(tile(), "me", 0.0))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert stopped.wait(20)


def test_passes_are_computed_too(replica_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    replica, part = replica_of(MODEL), ModelPass({})

    def run_pass(executor: LocalExecutor, tensor: Tensor, given: ModelPass, cancellation: Cancellation) -> list[Tensor]:
        assert given is part
        return [tensor + 1]

    monkeypatch.setattr(LocalExecutor, "run_pass", run_pass)
    (result,) = asyncio.run(replica.compute_pass(tile(), part, "me", 4.0))
    assert np.array_equal(result, tile() + 1)
    assert replica.record_autoscaling_stats() == {WAIT: 4.0}


def test_batches_are_counted_in_pixels(replica_of: Made) -> None:
    def batch(**order: int) -> int:
        return replica_of(MODEL, **order)._engine.executor.batch

    assert (batch(), batch(batch_px=3 * 384**2), batch(batch_px=1)) == (1, 3, 1)
    assert [replica_of(MODEL, workers=n)._engine.executor.slots for n in (1, 2)] == [1, 2]


def test_an_accelerator_has_its_usual_threads_and_batches(replica_of: Made, webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    executor = replica_of(MODEL, provider="webgpu")._engine.executor
    usual = concurrency_for("WebGpuExecutionProvider", available_cores())
    assert (executor.slots, executor.batch) == (usual.workers, usual.batch)


def test_a_lost_device_ends_the_replica(replica_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = replica_of(MODEL)
    asyncio.run(replica.check_health())

    def run(executor: LocalExecutor, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        raise DeviceLostError("it is gone")

    monkeypatch.setattr(LocalExecutor, "run", run)
    with pytest.raises(DeviceLostError, match="it is gone"):
        asyncio.run(replica.compute(tile(), "me", 0.0))
    with pytest.raises(DeviceLostError, match="does not answer"):
        asyncio.run(replica.check_health())


def test_a_model_without_tiles_is_refused(decoder: Path) -> None:
    with pytest.raises(ModelError, match="decoder-test has the task decode; only upscalers have tiles"):
        TileReplica(TileOrder(decoder))


def test_the_end_of_a_replica_ends_its_threads(nearest_x2: Path) -> None:
    def engines() -> int:
        return sum(thread.name.startswith("upconv-engine") for thread in threading.enumerate())

    before = engines()
    replica = TileReplica(TileOrder(nearest_x2))
    assert engines() > before
    replica.__del__()
    ends = time.monotonic() + 10
    while engines() != before and time.monotonic() < ends:
        time.sleep(0.01)
    assert engines() == before
