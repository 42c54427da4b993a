from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from upconv.service.trials import first_run
from upconv.service.trials.order import TrialOrder


@pytest.fixture(autouse=True)
def _without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests keeps its limits; the limits are tested from the parent's side."""
    monkeypatch.setattr(first_run, "_limit", lambda order: None)


def order(path: Path) -> TrialOrder:
    return TrialOrder(str(path), "cpu", None, 2**30, 60)


def test_good_and_bad_files(nearest_x2: Path, decoder: Path, without_contract: Path) -> None:
    assert first_run.try_file(order(nearest_x2)) is None
    assert first_run.try_file(order(decoder)) is None
    assert "carries no contract" in (first_run.try_file(order(without_contract)) or "")
    assert "no model file" in (first_run.try_file(order(Path("/missing.onnx"))) or "")


def test_memory_errors_name_the_setting(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(first_run, "open_and_warm", full)
    assert "raise --model-memory-bytes" in (first_run.try_file(order(nearest_x2)) or "")


def test_one_answer_for_each_order(nearest_x2: Path) -> None:
    answers = io.StringIO()
    first_run._answer_all(io.StringIO(order(nearest_x2).line() + order(Path("/missing.onnx")).line()), answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [None, "no model file at /missing.onnx"]
