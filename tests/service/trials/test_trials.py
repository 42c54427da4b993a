from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from upconv.service import Settings
from upconv.service.trials.child_process import TrialChild
from upconv.service.trials.proofs import Proofs
from upconv.service.trials.trials import Trials


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that a child process tries."""
    paths: list[str] = []
    real = TrialChild.try_file

    def count(child: TrialChild, order: Any, timeout_s: float) -> str | None:
        paths.append(order.path)
        return real(child, order, timeout_s)

    monkeypatch.setattr(TrialChild, "try_file", count)
    return paths


@pytest.fixture
def trials(tmp_path: Path) -> Iterator[Callable[..., Trials]]:
    made: list[Trials] = []

    def make(**settings: Any) -> Trials:
        made.append(Trials(Settings(models=(tmp_path,), **settings), Proofs(tmp_path / "proofs")))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_each_file_is_tried_once(
    trials: Callable[..., Trials], tried: list[str], nearest_x2: Path, without_contract: Path, tmp_path: Path
) -> None:
    one = trials()
    good, bad = tmp_path / "a.onnx", tmp_path / "b.onnx"
    shutil.copy(nearest_x2, good)
    shutil.copy(without_contract, bad)
    for _ in range(2):
        assert one.wait([good])[0].reason is None
        assert "carries no contract" in str(one.wait([bad])[0].reason)
    assert tried == [str(good), str(bad)]
    trials().wait([good, bad])
    assert tried == [str(good), str(bad), str(bad)], "a restart repeats only the refusal"
    one.forget_refusals()
    one.wait([good, bad])
    assert tried[3:] == [str(bad)]


def test_a_changed_file_is_tried_again(
    trials: Callable[..., Trials], nearest_x2: Path, without_contract: Path, tmp_path: Path
) -> None:
    one, path = trials(), tmp_path / "a.onnx"
    shutil.copy(without_contract, path)
    assert one.wait([path])[0].reason
    shutil.copy(nearest_x2, tmp_path / "new")
    (tmp_path / "new").replace(path)
    assert one.wait([path])[0].reason is None


def test_what_is_no_regular_file_is_not_opened(trials: Callable[..., Trials], tried: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").symlink_to("/dev/zero")
    results = trials().wait([tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path / "c.onnx"])
    assert all("no model file at" in str(result.reason) for result in results)
    assert tried == []


def test_a_hanging_file_holds_up_no_other(
    trials: Callable[..., Trials], endless: Path, nearest_x2: Path, decoder: Path
) -> None:
    one = trials(model_timeout_s=600)
    one.begin([endless])
    assert [result.reason for result in one.wait([nearest_x2, decoder])] == [None, None]
    assert one.finished(endless) is None
    assert not one.is_over(endless)
    assert one.is_over(decoder)


def test_the_stop_refuses_what_is_on_trial(trials: Callable[..., Trials], endless: Path, nearest_x2: Path) -> None:
    one = trials(model_timeout_s=600)
    until = time.monotonic() + 1
    results = one.wait([endless], lambda: time.monotonic() > until)
    assert "the service is stopping" in str(results[0].reason)
    assert "the service is stopping" in str(one.wait([nearest_x2])[0].reason)
