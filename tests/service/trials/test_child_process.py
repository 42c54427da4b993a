from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from upconv.service.trials import child_process
from upconv.service.trials.child_process import TrialChild
from upconv.service.trials.order import TrialOrder

GIB = 2**30


def order(path: Path, bytes: int = GIB, cpu_s: int = 600) -> TrialOrder:
    return TrialOrder(str(path), "cpu", None, bytes, cpu_s)


@pytest.fixture
def child() -> Iterator[TrialChild]:
    child = TrialChild()
    yield child
    child.close()


def pid(child: TrialChild) -> int:
    assert child._process is not None
    return child._process.pid


def test_one_process_tries_many_files(child: TrialChild, nearest_x2: Path, without_contract: Path) -> None:
    assert child.try_file(order(nearest_x2), 60) is None
    first = pid(child)
    assert "carries no contract" in (child.try_file(order(without_contract), 60) or "")
    assert pid(child) == first


def test_a_file_that_grows_without_bound_is_refused(child: TrialChild, growing: Path, nearest_x2: Path) -> None:
    assert "more memory than a new model may take" in (child.try_file(order(growing), 60) or "")
    assert child.try_file(order(nearest_x2), 60) is None, "and the next one is tried as usual"


def test_a_file_that_never_ends_is_refused(child: TrialChild, endless: Path, nearest_x2: Path) -> None:
    assert "within 1 s; raise --model-timeout-s" in (child.try_file(order(endless), 1) or "")
    assert child.try_file(order(nearest_x2), 60) is None, "another process tries the next one"


def test_the_processor_time_is_limited_even_without_a_parent(child: TrialChild, endless: Path) -> None:
    assert "raise --model-timeout-s" in (child.try_file(order(endless, cpu_s=1), 60) or "")


def test_a_file_that_ends_the_process_is_named(child: TrialChild, endless: Path, nearest_x2: Path) -> None:
    assert child.try_file(order(nearest_x2), 60) is None
    threading.Timer(0.5, os.kill, (pid(child), signal.SIGSEGV)).start()
    reason = child.try_file(order(endless), 60) or ""
    assert str(endless) in reason
    assert "SIGSEGV" in reason


def test_the_stop_ends_a_trial(child: TrialChild, endless: Path) -> None:
    threading.Timer(0.5, child.kill).start()
    assert "the service is stopping" in (child.try_file(order(endless), 60) or "")
    assert "not tried" in (child.try_file(order(endless), 60) or ""), "and no other begins"


def test_a_process_that_does_not_start(monkeypatch: pytest.MonkeyPatch, child: TrialChild, nearest_x2: Path) -> None:
    monkeypatch.setattr(child_process, "_COMMAND", ("/bin/false",))
    assert "the process for trials does not start" in (child.try_file(order(nearest_x2), 60) or "")
