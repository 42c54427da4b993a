"""The states of a job after an error: it fails, or it is tried again after a pause.

The picture's own errors are final. Passing trouble of the service, such as a full disk, is waited out until the job expires.
Other failures of the service, such as a crash of its process, are tried a few times. The picture of a failed job stays on the
disk until the job expires, so that the job can be queued again.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from upconv.runtime.errors import UpconvError, first_line, machine_error
from upconv.service import problem
from upconv.service.errors import UNEXPECTED, UnknownModelError, problem_kind
from upconv.service.jobs.job import Job
from upconv.service.problem import Problem

MAX_ATTEMPTS = 5
"""Starts of a job that failures of the service ended, before the job fails."""

LONGEST_PAUSE_S = 300.0

_FIRST_PAUSE_S = 1.0


class ProcessEndedError(UpconvError):
    """The process of the service ended too often while it computed a job."""


def pause_s(tries: int) -> float:
    """Return the seconds before the next start, after this number of starts: they double up to five minutes."""
    return min(_FIRST_PAUSE_S * 2.0 ** min(max(tries - 1, 0), 16), LONGEST_PAUSE_S)


def check_attempts(job: Job) -> None:
    """Raise `ProcessEndedError` if the job was started often enough."""
    if job.attempts > MAX_ATTEMPTS:
        raise ProcessEndedError(
            f"the service crashed {MAX_ATTEMPTS} times while it computed this picture; POST /v1/jobs/{job.id}/retry tries it again"
        )


def is_passing(error: Exception) -> bool:
    """Return true if an error is trouble of the service that passes by itself or with the help of the operator."""
    if isinstance(error, FileNotFoundError):
        return False
    return isinstance(error, (OSError, UnknownModelError)) or problem_kind(error).passing


def is_unexpected(error: Exception) -> bool:
    """Return true if an error is a failure of the service that does not pass by itself."""
    return not is_passing(error) and problem_kind(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR


def after_error(job: Job, error: Exception, ttl_s: float, now: float) -> Job:
    """Return a running job as it is after `error` at `now`, a time of the store: queued with a pause, or failed."""
    if is_passing(error) and now < job.created + ttl_s:
        troubles = job.troubles + 1
        return _queued(replace(job, attempts=job.attempts - 1, troubles=troubles), now + pause_s(troubles), error)
    if is_unexpected(error) and job.attempts < MAX_ATTEMPTS:
        return _queued(job, now + pause_s(job.attempts), error)
    return replace(job, state="failed", error=_describe(error).model_dump())


def after_crash(job: Job, now: float) -> Job:
    """Return a job that ran when the process ended: queued with a pause from `now` on, a time of the store."""
    return replace(job, state="queued", due=now + pause_s(job.attempts))


def put_back(job: Job) -> Job:
    """Return a job whose work was cancelled: queued, and its last start does not count."""
    return replace(job, state="queued", attempts=job.attempts - 1)


def _queued(job: Job, due: float, error: Exception) -> Job:
    return replace(job, state="queued", due=due, error=_describe(error).model_dump())


def _describe(error: Exception) -> Problem:
    kind, stated = problem_kind(error), machine_error(error) or error
    if isinstance(stated, ProcessEndedError) or (isinstance(stated, UpconvError) and kind.status != UNEXPECTED.status):
        return problem.describe(kind, str(stated))
    if isinstance(error, OSError):
        return problem.describe(kind, f"the files of this job cannot be read or written: {error.strerror or first_line(error)}")
    return problem.describe(kind, "the service failed to compute this job; its log has the cause, under the id of the job")
