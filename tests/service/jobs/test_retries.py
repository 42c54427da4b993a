from __future__ import annotations

import errno
import time
from typing import Any

import pytest

from upconv.runtime.errors import (
    DiskFullError,
    ImageError,
    ImageTooLargeError,
    ModelError,
    OutOfMemoryError,
    OutputError,
    Overloaded,
    ParameterError,
)
from upconv.service.errors import StorageError, TooLongError, UnknownModelError
from upconv.service.jobs.job import Job
from upconv.service.jobs.retries import MAX_ATTEMPTS, ProcessEndedError, after_error, check_attempts, pause_s
from upconv.service.parameters import UpscaleQuery

TTL_S = 1000.0


def job(**values: Any) -> Job:
    fixed = {"id": "a", "owner": "", "order": UpscaleQuery(), "fingerprint": "f", "bytes_in": 1, "created": time.time()}
    return Job(**{**fixed, "state": "running", "attempts": 1, **values})


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OutputError("no room"),
        DiskFullError("full"),
        OutOfMemoryError("no memory"),
        MemoryError(),
        Overloaded("the models are not loaded"),
        UnknownModelError("there is no model"),
        StorageError("locked", 30),
    ],
    ids=lambda error: type(error).__name__,
)
def test_passing_trouble_is_waited_out_until_the_job_expires(error: Exception) -> None:
    after = after_error(job(troubles=3), error, TTL_S, time.time())
    assert (after.state, after.attempts, after.troubles) == ("queued", 0, 4)
    assert after.due == pytest.approx(time.time() + 8, abs=1)
    assert after.error is not None
    assert after_error(job(created=time.time() - TTL_S + 10), error, TTL_S, time.time()).state == "queued"
    assert after_error(job(created=time.time() - TTL_S - 10), error, TTL_S, time.time()).state == "failed"


@pytest.mark.parametrize("error", [ModelError("wrong"), ValueError("a bug"), FileNotFoundError(errno.ENOENT, "No such file")])
def test_other_failures_of_the_service_are_tried_a_few_times(error: Exception) -> None:
    again = after_error(job(attempts=MAX_ATTEMPTS - 1), error, TTL_S, time.time())
    assert (again.state, again.attempts) == ("queued", MAX_ATTEMPTS - 1)
    assert again.due == pytest.approx(time.time() + 8, abs=1)
    failed = after_error(job(attempts=MAX_ATTEMPTS), error, TTL_S, time.time())
    assert failed.state == "failed"
    assert failed.error is not None
    assert (failed.error["status"], "a bug" in failed.error["detail"]) == (500, False)


@pytest.mark.parametrize("error", [ImageError("damaged"), ImageTooLargeError("large"), ParameterError("no"), TooLongError("s")])
def test_errors_of_the_picture_are_final(error: Exception) -> None:
    failed = after_error(job(), error, TTL_S, time.time())
    assert (failed.state, failed.error and failed.error["detail"]) == ("failed", str(error))


def test_five_starts() -> None:
    check_attempts(job(attempts=5))
    with pytest.raises(ProcessEndedError, match="crashed 5 times"):
        check_attempts(job(attempts=6))


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_s(tries) for tries in (0, 1, 2, 3, 9, 10, 10_000)] == [1, 1, 2, 4, 256, 300, 300]
