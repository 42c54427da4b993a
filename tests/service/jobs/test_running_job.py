from __future__ import annotations

from types import SimpleNamespace

import pytest

from upconv.service.jobs import running_job
from upconv.service.jobs.running_job import ProgressUpdater, RunningJob


def test_a_job_that_takes_too_long_is_cancelled() -> None:
    running = RunningJob()
    running.expire()
    assert running.late
    assert running.cancellation.cancelled


def test_many_tiles_are_told_at_most_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 100.0, list[int]()
    monkeypatch.setattr(running_job, "time", SimpleNamespace(monotonic=lambda: now))
    running = RunningJob()
    update = ProgressUpdater(running, lambda: told.append(running.progress.done))
    for done in range(1, 31):
        now += 0.03
        update(done, 30)
        assert (running.progress.done, running.progress.total) == (done, 30)
    assert told == [1, 5, 9, 13, 17, 21, 25, 29, 30], "the last tile is always told"
