from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler, open_model
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, DiskFullError, ModelError
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.tiling import TilingPlan
from upconv.service.errors import TensorError
from upconv.service.inference_protocol.batch import AT_ONCE, upscale_batch


@pytest.fixture
def upscaler(nearest_x2: Path) -> Iterator[Upscaler]:
    with Upscaler(open_model(nearest_x2), workers=2) as upscaler:
        yield upscaler


def pictures(count: int, side: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).random((count, 3, side, side), np.float32)


def plan_of(batch: np.ndarray[Any, np.dtype[np.float32]], upscaler: Upscaler) -> TilingPlan:
    return upscaler.engine.plan(*batch.shape[2:])


@pytest.mark.parametrize("count", [1, AT_ONCE, AT_ONCE + 1, 1100])
def test_each_picture_is_that_of_itself(upscaler: Upscaler, count: int) -> None:
    batch = pictures(count)
    result = upscale_batch(batch, upscaler, Cancellation(), plan_of(batch, upscaler))
    np.testing.assert_array_equal(result, batch.repeat(2, axis=2).repeat(2, axis=3))


def test_pictures_of_several_tiles(upscaler: Upscaler) -> None:
    batch = pictures(2, 700)
    np.testing.assert_array_equal(
        upscale_batch(batch, upscaler, Cancellation(), plan_of(batch, upscaler))[1], upscaler.engine.enlarge(batch[1])
    )


def test_a_cancellation_leaves_nothing_in_the_queue(
    upscaler: Upscaler, gate: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancellation, submitted = Cancellation(), list[Future[None]]()
    submit = upscaler.engine.submit

    def record(work: Any) -> Future[None]:
        submitted.append(submit(work))
        return submitted[-1]

    monkeypatch.setattr(upscaler.engine, "submit", record)
    raised = list[BaseException]()

    def compute() -> None:
        try:
            upscale_batch(pictures(1000), upscaler, cancellation, plan_of(pictures(1000), upscaler))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=compute)
    thread.start()
    wait_until(lambda: len(submitted) == AT_ONCE)
    cancellation.cancel()
    thread.join(20)
    gate.opened.set()
    assert [type(error) for error in raised] == [Cancelled]
    assert len(submitted) == AT_ONCE
    assert all(future.cancelled() for future in submitted)


def test_nothing_begins_after_a_cancellation(upscaler: Upscaler, gate: Any) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        upscale_batch(pictures(2), upscaler, cancellation, plan_of(pictures(2), upscaler))
    assert gate.tiles == 0


@pytest.mark.parametrize(("error", "kind"), [(ModelError("no"), TensorError), (DiskFullError("full"), DiskFullError)])
def test_failures(upscaler: Upscaler, error: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(LocalExecutor, "run", fail)
    with pytest.raises(kind, match=str(error)):
        upscale_batch(pictures(3), upscaler, Cancellation(), plan_of(pictures(3), upscaler))
