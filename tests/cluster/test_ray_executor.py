from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cluster.conftest import InProcess

from upconv.cluster import RayExecutor, ray_executor
from upconv.cluster.ray_executor import TileTerms
from upconv.cluster.tile_replica import TileService
from upconv.runtime import Picture, Upscaler, open_model
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ModelError, NoEndpointError
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.remote.faults import BusyFault, EndpointFault

TERMS = TileTerms(slots=3, timeout_s=5.0, patience_s=0.05, tile_px=64)
TILE = np.zeros((1, 3, 8, 8), np.float32)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_executor, "_PAUSE_S", 0.001)


@pytest.fixture
def executor(transport: InProcess, nearest_x2: Path) -> RayExecutor:
    executor = RayExecutor(transport, TERMS)
    executor.start(open_model(nearest_x2))
    transport.calls.clear()
    return executor


def test_a_picture_is_that_of_this_machine(transport: InProcess, nearest_x2: Path) -> None:
    picture = Picture(np.random.default_rng(0).integers(0, 256, (150, 170, 3)).astype(np.uint8))
    transport.faults = [EndpointFault("ended")]
    with Upscaler(nearest_x2) as here, Upscaler(nearest_x2, executor=RayExecutor(transport, TERMS)) as there:
        assert (there.slots, there.provider, there.engine.executor.tile_px) == (3, "CPUExecutionProvider", 64)
        transport.faults = [EndpointFault("ended"), EndpointFault("ended")]
        assert np.array_equal(here.upscale(picture.samples), there.upscale(picture.samples))
    assert transport.calls.count("describe") == 2
    assert transport.calls.count("compute") > 2


def test_a_tile_whose_process_ends_is_sent_again(executor: RayExecutor, transport: InProcess) -> None:
    transport.faults = [EndpointFault("ended"), BusyFault("takes no more tiles"), EndpointFault("ended")]
    output = executor.run(TILE, Cancellation())
    assert output.flags.writeable
    assert (transport.calls, executor.lost) == (["compute"] * 4, False)


def test_a_tile_that_ends_one_process_after_the_other_fails(executor: RayExecutor, transport: InProcess) -> None:
    transport.faults = [EndpointFault("ended: exit code 9") for _ in range(20)]
    with pytest.raises(ModelError, match=r"^a tile failed 8 times: the process ended: exit code 9; check"):
        executor.run(TILE, Cancellation())


def test_no_process_in_time(transport: InProcess) -> None:
    executor = RayExecutor(transport, replace(TERMS, timeout_s=0.0))
    transport.faults = [EndpointFault("does not answer within 1 s")]
    with pytest.raises(NoEndpointError, match="no process computes tiles: the last one does not answer within 1 s"):
        executor.run(TILE, Cancellation())
    assert executor.lost
    executor.run(TILE, Cancellation())
    assert not executor.lost


def test_a_full_deployment_is_waited_for_a_while(executor: RayExecutor, transport: InProcess) -> None:
    transport.faults = [BusyFault("takes no more tiles") for _ in range(1000)]
    with pytest.raises(NoEndpointError, match="the processes for tiles are busy"):
        executor.run(TILE, Cancellation())


def test_the_error_of_a_tile_is_not_tried_again(executor: RayExecutor, transport: InProcess) -> None:
    transport.faults = [ModelError("the model failed")]
    with pytest.raises(ModelError, match="the model failed"):
        executor.run(TILE, Cancellation())
    assert transport.calls == ["compute"]


def test_a_cancellation_ends_the_wait_for_another_try(
    executor: RayExecutor, transport: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "_PAUSE_S", 4.0)
    transport.faults = [EndpointFault("ended")]
    cancellation, started = Cancellation(), time.monotonic()
    threading.Timer(0.05, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        executor.run(TILE, cancellation)
    assert time.monotonic() - started < 3
    assert transport.calls == ["compute"]


def test_another_file_is_refused(nearest_x2: Path) -> None:
    class Other:
        def call(self, method: str, arguments: Sequence[Any], timeout_s: float, cancellation: Cancellation) -> TileService:
            return TileService("0" * 64, "CPUExecutionProvider")

    with pytest.raises(ModelError, match="have another file of nearest-x2-test: its SHA-256 begins with '000000000000'"):
        RayExecutor(Other(), TERMS).start(open_model(nearest_x2))


def test_the_wait_of_this_process_is_stated_with_each_tile(nearest_x2: Path) -> None:
    seen: list[tuple[str, Any]] = []

    class Noted:
        def call(self, method: str, arguments: Sequence[Any], timeout_s: float, cancellation: Cancellation) -> Any:
            seen.append((method, arguments[-1]))
            return [TILE] if method == "compute_pass" else TILE

    executor = RayExecutor(Noted(), TERMS, lambda: 7.5)
    executor.run(TILE, Cancellation())
    (result,) = executor.run_pass(TILE, ModelPass({}), Cancellation())
    assert result.flags.writeable
    assert seen == [("compute", 7.5), ("compute_pass", 7.5)]
    executor.release()
    executor.close()
