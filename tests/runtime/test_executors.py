from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import SessionOptions
from upconv.runtime.executors import MAX_SHAPES, LocalExecutor
from upconv.runtime.session import Model, open_model, open_session


@pytest.mark.parametrize(("shapes", "released"), [(1, 0), (MAX_SHAPES, 0), (MAX_SHAPES + 1, 1), (3 * MAX_SHAPES + 3, 3)])
def test_memory_is_given_back_after_many_shapes(
    shapes: int, released: int, nearest_x2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Model] = []
    monkeypatch.setattr(Model, "release", lambda model: calls.append(model))
    executor = LocalExecutor(open_model(nearest_x2), slots=1)
    for width in range(1, shapes + 1):
        for _ in range(2):
            assert executor.run(np.zeros((1, 3, 4, width), np.float32), Cancellation()).shape == (1, 3, 8, 2 * width)
    assert len(calls) == released


@pytest.mark.parametrize("arena", [True, False])
def test_memory_is_given_back_with_and_without_an_arena(arena: bool, nearest_x2: Path) -> None:
    wishes = SessionOptions(arena=arena)
    model = open_model(nearest_x2)
    contract = model.contract.model_copy(update={"session": wishes})
    executor = LocalExecutor(replace(model, contract=contract, session=open_session(nearest_x2, settings=wishes)), slots=1)
    executor.run(np.zeros((1, 3, 4, 4), np.float32), Cancellation())
    executor.release()


def test_memory_is_given_back_at_the_65th_shape(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Model] = []
    monkeypatch.setattr(Model, "release", lambda model: calls.append(model))
    executor = LocalExecutor(open_model(nearest_x2), slots=1)
    released_after = []
    for width in range(1, 66):
        executor.run(np.zeros((1, 3, 1, width), np.float32), Cancellation())
        released_after.append(len(calls))
    assert released_after == [0] * 64 + [1]
