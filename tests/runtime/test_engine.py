from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.runtime import engine as engine_module
from upconv.runtime import planner
from upconv.runtime.calibration import Calibration
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.engine import Engine
from upconv.runtime.errors import Cancelled, DeviceLostError, ModelError, OutOfMemoryError, Overloaded, TimedOut
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.schedule import Priority, Schedule
from upconv.runtime.session import Model, Tensor, open_model
from upconv.runtime.tiled_array import TiledArray

FREE_BYTES = 16e9


@pytest.fixture
def model(nearest_x2: Path) -> Model:
    return open_model(nearest_x2)


class Gate:
    """An executor that blocks until `open` is set, and records the order of its tiles."""

    name, tile_px, lost = "", None, False

    def __init__(self, slots: int = 1, batch: int = 1) -> None:
        self.slots, self.batch = slots, batch
        self.open = threading.Event()
        self.order: list[float] = []
        self.batches: list[int] = []
        self.closed = False
        self.released = 0

    def start(self, model: Model) -> None:
        self.started = model

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        while not self.open.wait(0.01):
            if cancellation.cancelled:
                raise Cancelled("stopped")
        self.order += [float(tile.flat[0]) for tile in tensor]
        self.batches.append(len(tensor))
        return tensor.repeat(2, axis=2).repeat(2, axis=3)

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        raise NotImplementedError

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed = True


class SmallMemory(Gate):
    """An executor that runs out of memory on tiles of more than `limit` pixels."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.open.set()
        self.limit = limit

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        if tensor[0, 0].size > self.limit:
            raise OutOfMemoryError("no memory")
        return super().run(tensor, cancellation)


def filled(engine: Engine, value: float, side: int) -> TiledArray:
    return TiledArray(np.full((3, side, side), value, np.float32), engine.plan(side, side))


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).random((3, height, width), np.float32)


def doubled(planes: Tensor) -> Tensor:
    return planes.repeat(2, axis=1).repeat(2, axis=2)


def test_pictures_of_any_size_come_back_whole(model: Model) -> None:
    with Engine(model, workers=2, tile_px=16) as engine, ThreadPoolExecutor(4) as threads:
        pictures = [noise(1 + n * 7, 40 - n, n) for n in range(12)]
        for picture, result in zip(pictures, threads.map(engine.enlarge, pictures), strict=True):
            np.testing.assert_array_equal(result, doubled(picture))


def test_progress_counts_to_the_number_of_tiles(model: Model) -> None:
    seen: list[tuple[int, int]] = []
    with Engine(model, workers=1, tile_px=16) as engine:
        total = len(engine.plan(40, 40).tiles)
        engine.submit(filled(engine, 0, 40), lambda done, total: seen.append((done, total))).result(10)
    assert seen == [(n, total) for n in range(1, total + 1)]


def test_a_small_picture_does_not_wait_for_a_large_one(model: Model) -> None:
    gate = Gate()
    with Engine(model, executor=gate, tile_px=16) as engine:
        large, small = engine.submit(filled(engine, 1, 160)), engine.submit(filled(engine, 2, 16))
        gate.open.set()
        small.result(10)
        large.result(10)
    assert gate.order.index(2.0) <= 2


def test_background_work_steps_back_and_does_not_starve(model: Model) -> None:
    gate = Gate()
    with Engine(model, executor=gate, tile_px=16) as engine:
        jobs = [engine.submit(filled(engine, p, 320), priority=p) for p in (Priority.BACKGROUND, Priority.NORMAL)]
        gate.open.set()
        for job in jobs:
            job.result(10)
    before = gate.order[: len(gate.order) - gate.order[::-1].index(Priority.NORMAL)]
    share = before.count(Priority.BACKGROUND) / before.count(Priority.NORMAL)
    assert 0.1 <= share <= 0.15


def test_cancelling_frees_the_workers_at_once(model: Model) -> None:
    gate = Gate()
    with Engine(model, executor=gate, tile_px=16) as engine:
        large = engine.submit(filled(engine, 1, 160))
        assert large.cancel()
        small = engine.submit(filled(engine, 2, 16))
        gate.open.set()
        small.result(10)
        with pytest.raises(CancelledError):
            large.result()
    assert gate.order.count(1.0) <= 1


def test_a_deadline_ends_what_waits_too_long(model: Model) -> None:
    gate = Gate()
    with Engine(model, executor=gate, tile_px=16) as engine:
        late = engine.submit(filled(engine, 1, 160), deadline=time.monotonic() + 0.05)
        in_time = engine.submit(filled(engine, 2, 160), deadline=time.monotonic() + 60)
        time.sleep(0.1)
        gate.open.set()
        with pytest.raises(TimedOut):
            late.result(10)
        in_time.result(10)
    assert gate.order.count(1.0) <= 1


def test_an_error_in_the_progress_callback_ends_that_picture_alone(model: Model) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled("no longer wanted")

    with Engine(model, workers=1, tile_px=16) as engine:
        stopped, other = engine.submit(filled(engine, 1, 64), stop), engine.submit(filled(engine, 2, 64))
        with pytest.raises(Cancelled):
            stopped.result(10)
        other.result(10)


@pytest.mark.parametrize(("max_waiting", "max_waiting_px"), [(2, 10**9), (100, 8192)])
def test_too_much_waiting_work_is_refused(model: Model, max_waiting: int, max_waiting_px: int) -> None:
    gate = Gate()
    with Engine(model, executor=gate, tile_px=16, max_waiting=max_waiting, max_waiting_px=max_waiting_px) as engine:
        waiting = [engine.submit(filled(engine, 1, 64)), engine.submit(filled(engine, 1, 64))]
        with pytest.raises(Overloaded, match="waiting already"):
            waiting.extend(engine.submit(filled(engine, 1, 64)) for _ in range(3))
        gate.open.set()
        for future in waiting:
            future.result(10)


def test_a_picture_larger_than_the_bound_is_taken_when_nobody_waits(model: Model) -> None:
    with Engine(model, workers=1, tile_px=16, max_waiting_px=1) as engine:
        assert engine.enlarge(noise(64, 64)).shape == (3, 128, 128)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_output_that_is_no_number_is_an_error_not_a_black_picture(model: Model, value: float) -> None:
    with Engine(model, workers=1) as engine, pytest.raises(ModelError, match="NaN or infinite"):
        engine.submit(filled(engine, value, 8)).result(10)


def test_closing_cancels_what_waits(model: Model) -> None:
    gate = Gate()
    engine = Engine(model, executor=gate, tile_px=16)
    waiting = engine.submit(filled(engine, 0, 64))
    threading.Timer(0.2, gate.open.set).start()
    engine.close()
    assert gate.closed
    with pytest.raises(Cancelled):
        waiting.result(10)
    with pytest.raises(Cancelled):
        engine.submit(filled(engine, 0, 8))


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Disable the garbage collector, which frees objects in reference cycles."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_picture_is_let_go_when_it_is_done(model: Model) -> None:
    with Engine(model, workers=2, tile_px=16) as engine:
        work = filled(engine, 1, 40)
        engine.submit(work).result(10)
        kept: list[weakref.ref[object]] = [weakref.ref(work), weakref.ref(work.result)]
        del work
        deadline = time.monotonic() + 5
        while any(ref() is not None for ref in kept) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [ref() for ref in kept] == [None, None]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RuntimeError])
def test_a_worker_outlives_whatever_a_callback_raises(model: Model, error: type[BaseException]) -> None:
    def stop(done: int, total: int) -> None:
        raise error

    with Engine(model, workers=1, tile_px=16) as engine:
        with pytest.raises(error):
            engine.submit(filled(engine, 1, 8), stop).result(10)
        engine.submit(filled(engine, 2, 8)).result(10)


def test_a_model_that_breaks_its_promise_is_an_error_not_a_wrong_picture(model: Model) -> None:
    class Liar(Gate):
        def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
            return tensor.repeat(4, axis=2).repeat(4, axis=3)

    with Engine(model, executor=Liar()) as engine, pytest.raises(ModelError, match="contract promises"):
        engine.enlarge(noise(8, 8))


@pytest.mark.parametrize("limit", [4000, 700, 100])
def test_a_tile_that_memory_does_not_hold_is_halved(model: Model, limit: int) -> None:
    seen: list[tuple[int, int]] = []
    executor, picture = SmallMemory(limit), noise(60, 70)
    with Engine(model, executor=executor, tile_px=64) as engine:
        work = TiledArray(picture, engine.plan(60, 70))
        engine.submit(work, lambda done, total: seen.append((done, total))).result(10)
    np.testing.assert_array_equal(work.result, doubled(picture))
    assert seen == [(1, 2), (2, 2)]


def test_what_memory_does_not_hold_in_any_parts_is_a_clear_error(model: Model) -> None:
    with (
        Engine(model, executor=SmallMemory(0), tile_px=64) as engine,
        pytest.raises(OutOfMemoryError, match="fewer workers or a smaller picture"),
    ):
        engine.enlarge(noise(60, 70))


def test_tiles_of_one_shape_share_a_batch(model: Model) -> None:
    gate = Gate(batch=4)
    with Engine(model, executor=gate, tile_px=16) as engine, ThreadPoolExecutor(3) as threads:
        pictures = [noise(40, 40, 1), noise(40, 40, 2), noise(9, 11, 3)]
        results = threads.map(engine.enlarge, pictures)
        time.sleep(0.1)
        gate.open.set()
        for picture, result in zip(pictures, results, strict=True):
            np.testing.assert_array_equal(result, doubled(picture))
    assert max(gate.batches) == 4


def test_a_tile_at_fault_does_not_take_its_batch_along(model: Model) -> None:
    gate = Gate(batch=4)
    with Engine(model, executor=gate, tile_px=16) as engine:
        futures = [engine.submit(filled(engine, value, 8)) for value in (0.0, 1.0, np.nan, 2.0)]
        gate.open.set()
        for number, future in enumerate(futures):
            if number == 2:
                with pytest.raises(ModelError):
                    future.result(10)
            else:
                future.result(10)


def test_memory_is_measured_for_small_pictures_and_speed_for_large_ones(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []

    def measured(_: Model, workers: int, *, speed: bool) -> Calibration:
        assert workers == 2
        calls.append(speed)
        return Calibration(100, FREE_BYTES, {128: 1e-6} if speed else {})

    monkeypatch.setattr(planner, "calibrate", measured)
    gate = Gate(slots=2)
    gate.open.set()
    with Engine(model, executor=gate) as engine:
        for height, width, expected in ((60, 70, []), (300, 400, [False]), (2000, 1100, [False, True])):
            for _ in range(2):
                engine.enlarge(noise(height, width))
                assert calls == expected
    assert gate.released == 2, "memory is released after each large picture"


def test_memory_is_given_back_once_when_nothing_comes(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "IDLE_S", 0.05)
    gate = Gate(slots=2)
    gate.open.set()
    with Engine(model, executor=gate) as engine:
        for times in (1, 2):
            engine.enlarge(noise(8, 8))
            deadline = time.monotonic() + 10
            while gate.released < times and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.2)
            assert gate.released == times


def test_a_thousand_and_24_pictures_or_a_thousand_megapixels_may_wait(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[tuple[int, int]] = []

    def made(*given: int) -> Schedule:
        bounds.append((given[0], given[1]))
        return Schedule(*given)

    monkeypatch.setattr(engine_module, "Schedule", made)
    Engine(model, executor=Gate()).close()
    assert bounds == [(1024, 1_000_000_000)]


def test_memory_is_given_back_after_two_seconds(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    class Watched(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            if threading.current_thread().name.startswith("upconv-engine"):
                waits.append(timeout)
            return super().wait(timeout)

    gate = Gate()
    gate.open.set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Condition", Watched)
        engine = Engine(model, executor=gate)
    with engine:
        engine.enlarge(noise(8, 8))
        deadline = time.monotonic() + 10
        while 2.0 not in waits and time.monotonic() < deadline:
            time.sleep(0.001)
    assert set(waits) == {None, 2.0}, "without end before the first picture, two seconds after it"


@pytest.mark.parametrize(("most", "largest"), [(None, 4), (3, 3), (1, 1)])
def test_no_batch_is_larger_than_the_contract_allows(model: Model, most: int | None, largest: int) -> None:
    gate = Gate(batch=4)
    limited = replace(model, contract=model.contract.model_copy(update={"max_batch": most}))
    with Engine(limited, executor=gate, tile_px=16) as engine:
        waiting = engine.submit(filled(engine, 1, 64))
        gate.open.set()
        waiting.result(10)
    assert max(gate.batches) == largest


def test_a_device_that_vanishes_fails_its_pictures_and_is_told(nearest_x2: Path, webgpu_stand_in: StandIn) -> None:
    broken = [False]

    def change(output: np.ndarray) -> np.ndarray:
        if broken[0]:
            raise RuntimeError("[ONNXRuntimeError] : 11 : EP_FAIL : x.cc:9 vkQueueSubmit failed with VK_ERROR_DEVICE_LOST.")
        return output

    webgpu_stand_in(change)
    planes = np.random.default_rng(0).random((3, 40, 60), np.float32)
    with Engine(open_model(nearest_x2, "webgpu"), workers=2, tile_px=16) as engine:
        expected = engine.enlarge(planes)
        broken[0] = True
        sentence = r"cannot run on an input of .* on webgpu, because the device is lost: vkQueueSubmit failed with VK_ERROR_DEVICE_LOST; check it"
        with pytest.raises(DeviceLostError, match=sentence):
            engine.enlarge(planes)
        assert engine.lost
        broken[0] = False
        assert np.array_equal(engine.enlarge(planes), expected)
        assert not engine.lost


@pytest.mark.parametrize(
    "message",
    [
        "CUDA failure 2: out of memory",
        "Failed to allocate memory for requested buffer of size 1073741824",
        "Failed to download data from buffer: [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
        "Too many storage buffers in shader. Current: 15, Max is 12",
        "vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY",
    ],
)
def test_a_tile_that_is_too_large_for_the_device_is_halved(nearest_x2: Path, webgpu_stand_in: StandIn, message: str) -> None:
    shapes: list[tuple[int, ...]] = []

    def change(output: np.ndarray) -> np.ndarray:
        shapes.append(output.shape)
        if output.shape[0] * output.shape[2] * output.shape[3] > 64 * 64:
            raise RuntimeError(f"[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : {message}")
        return output

    webgpu_stand_in(change)
    planes = np.random.default_rng(0).random((3, 60, 90), np.float32)
    with Engine(open_model(nearest_x2, "webgpu"), workers=1, tile_px=64) as engine:
        assert np.array_equal(engine.enlarge(planes), planes.repeat(2, 1).repeat(2, 2))
    assert max(shapes) > min(shapes)
