"""A job, as it is kept and as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from upconv.service.parameters import UpscaleQuery
from upconv.service.problem import Problem

JobState = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class Job:
    """One row."""

    id: str
    owner: str
    """Name of the API key that may see it; empty where none are needed."""
    order: UpscaleQuery
    """What is to become of the spooled picture, with the model's name; kept as JSON."""
    fingerprint: str
    """Of the picture and the order, so that an idempotency key is not used for another one."""
    bytes_in: int
    created: float
    """Seconds since 1970."""
    idempotency_key: str | None = None
    state: JobState = "queued"
    attempts: int = 0
    """How often it was begun; a picture that takes the process down is not tried for ever."""
    finished: float | None = None
    expires: float | None = None
    bytes_out: int = 0
    result: dict[str, str] = field(default_factory=dict)
    """Headers of the result."""
    error: dict[str, Any] | None = None
    """The problem that ended it."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed")


class JobProgress(BaseModel):
    """Tiles."""

    done: int = 0
    total: int | None = Field(default=None, description="none until the picture has been decoded")


class JobResult(BaseModel):
    """Where the picture is."""

    url: str
    media_type: str
    bytes: int
    sha256: str
    conversions: str | None = Field(default=None, description="what could not be kept of the picture")


class JobStatus(BaseModel):
    """How far a job is."""

    id: str = Field(examples=["a3f1c0de9b7e4c55a3f1c0de9b7e4c55"])
    state: JobState
    model: str
    progress: JobProgress
    ahead: int = Field(description="jobs that come first")
    created: datetime
    finished: datetime | None = None
    expires: datetime | None = Field(default=None, description="when a finished job and its result are deleted")
    result: JobResult | None = None
    error: Problem | None = None


def job_status(job: Job, progress: JobProgress, ahead: int) -> JobStatus:
    """The job as clients see it."""
    return JobStatus(
        id=job.id,
        state=job.state,
        model=str(job.order.model),
        progress=progress,
        ahead=ahead,
        created=_time(job.created),
        finished=_time(job.finished) if job.finished else None,
        expires=_time(job.expires) if job.expires else None,
        result=_result(job) if job.state == "done" else None,
        error=Problem(**job.error) if job.error else None,
    )


def _result(job: Job) -> JobResult:
    headers = job.result
    return JobResult(
        url=f"/v1/jobs/{job.id}/result",
        media_type=headers["Content-Type"],
        bytes=job.bytes_out,
        sha256=headers["ETag"].strip('"'),
        conversions=headers.get("X-Upconv-Conversions"),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
