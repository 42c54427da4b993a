from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime.engine import Engine
from upconv.runtime.errors import Cancelled, ModelError, Overloaded
from upconv.runtime.session import Model, Tensor, open_model


@pytest.fixture
def model(nearest_x2: Path) -> Model:
    return open_model(nearest_x2)


class Gate:
    """A model whose runs wait until they are let through, and that notes the order of its tiles."""

    def __init__(self, model: Model) -> None:
        self.contract = model.contract
        self.open = threading.Event()
        self.order: list[float] = []

    def run(self, tensor: Tensor) -> Tensor:
        self.open.wait(10)
        self.order.append(float(tensor.flat[0]))
        return tensor.repeat(2, axis=2).repeat(2, axis=3)


def filled(value: float, side: int) -> Tensor:
    return np.full((3, side, side), value, np.float32)


def test_pictures_of_any_size_come_back_whole(model: Model) -> None:
    with Engine(model, workers=2, tile_px=16) as engine:
        pictures = [np.random.default_rng(n).random((3, 1 + n * 7, 40 - n), np.float32) for n in range(12)]
        futures = [engine.submit(picture) for picture in pictures]
        for picture, future in zip(pictures, futures, strict=True):
            np.testing.assert_array_equal(future.result(10), picture.repeat(2, axis=1).repeat(2, axis=2))


def test_progress_counts_to_the_number_of_tiles(model: Model) -> None:
    seen: list[tuple[int, int]] = []
    with Engine(model, workers=1, tile_px=16) as engine:
        engine.submit(filled(0, 40), lambda done, total: seen.append((done, total))).result(10)
    assert seen == [(n, 9) for n in range(1, 10)]


def test_a_small_picture_does_not_wait_for_a_large_one(model: Model) -> None:
    gate = Gate(model)
    with Engine(gate, workers=1, tile_px=16) as engine:  # type: ignore[arg-type]
        large, small = engine.submit(filled(1, 160)), engine.submit(filled(2, 16))
        gate.open.set()
        small.result(10)
        large.result(10)
    assert gate.order.index(2.0) <= 2


def test_cancelling_frees_the_workers_at_the_next_tile(model: Model) -> None:
    gate = Gate(model)
    with Engine(gate, workers=1, tile_px=16) as engine:  # type: ignore[arg-type]
        large = engine.submit(filled(1, 160))
        assert large.cancel()
        small = engine.submit(filled(2, 16))
        gate.open.set()
        small.result(10)
        with pytest.raises(CancelledError):
            large.result()
    assert gate.order.count(1.0) <= 2


def test_an_error_in_the_progress_callback_ends_that_picture_alone(model: Model) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled("no longer wanted")

    with Engine(model, workers=1, tile_px=16) as engine:
        stopped, other = engine.submit(filled(1, 64), stop), engine.submit(filled(2, 64))
        with pytest.raises(Cancelled):
            stopped.result(10)
        assert other.result(10).shape == (3, 128, 128)


def test_too_much_waiting_work_is_refused(model: Model) -> None:
    gate = Gate(model)
    with Engine(gate, workers=1, tile_px=16, max_waiting=2) as engine:  # type: ignore[arg-type]
        waiting = [engine.submit(filled(1, 64)), engine.submit(filled(1, 64))]
        # A worker may have taken the only tile of the first, so one more may find room, and the next does not.
        with pytest.raises(Overloaded):
            waiting.extend(engine.submit(filled(1, 64)) for _ in range(3))
        gate.open.set()
        for future in waiting:
            future.result(10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_output_that_is_no_number_is_an_error_not_a_black_picture(model: Model, value: float) -> None:
    with Engine(model, workers=1) as engine, pytest.raises(ModelError, match="no numbers"):
        engine.submit(filled(value, 8)).result(10)


def test_closing_cancels_what_waits(model: Model) -> None:
    gate = Gate(model)
    engine = Engine(gate, workers=1, tile_px=16)  # type: ignore[arg-type]
    waiting = engine.submit(filled(0, 64))
    threading.Timer(0.2, gate.open.set).start()
    engine.close()
    with pytest.raises(Cancelled):
        waiting.result(10)
    with pytest.raises(Cancelled):
        engine.submit(filled(0, 8))


def test_a_picture_is_let_go_when_it_is_done(model: Model) -> None:
    with Engine(model, workers=2, tile_px=16) as engine:
        picture = filled(1, 40)
        result = engine.submit(picture).result(10)
        kept = [weakref.ref(picture), weakref.ref(result)]
        del picture, result
        deadline = time.monotonic() + 5
        while any(ref() is not None for ref in kept) and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert [ref() for ref in kept] == [None, None]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RuntimeError])
def test_a_worker_outlives_whatever_a_callback_raises(model: Model, error: type[BaseException]) -> None:
    def stop(done: int, total: int) -> None:
        raise error

    with Engine(model, workers=1, tile_px=16) as engine:
        with pytest.raises(error):
            engine.submit(filled(1, 8), stop).result(10)
        assert engine.submit(filled(2, 8)).result(10).shape == (3, 16, 16)


def test_a_model_that_breaks_its_promise_is_an_error_not_a_wrong_picture(model: Model) -> None:
    gate = Gate(model)
    gate.open.set()
    gate.run = lambda tensor: tensor.repeat(4, axis=2).repeat(4, axis=3)  # type: ignore[method-assign]
    with Engine(gate, workers=1) as engine, pytest.raises(ModelError, match="contract promises"):  # type: ignore[arg-type]
        engine.submit(filled(1, 8)).result(10)
