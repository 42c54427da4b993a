"""A job, as the store keeps it and as the API returns it."""

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
    """A picture that is upscaled in the background: one row of the store."""

    id: str
    owner: str
    """Name of the API key that may see the job; empty if no keys are set."""
    order: UpscaleQuery
    """The parameters, with the name of the model; stored as JSON."""
    fingerprint: str
    """SHA-256 of the picture and the order. It detects an idempotency key that is reused for another request."""
    bytes_in: int
    created: float
    """Seconds since 1970, as in the other times."""
    idempotency_key: str | None = None
    state: JobState = "queued"
    attempts: int = 0
    """Number of starts. A picture that crashes the process is tried only a few times."""
    finished: float | None = None
    expires: float | None = None
    bytes_out: int = 0
    result: dict[str, str] = field(default_factory=dict)
    """Response headers of the result."""
    error: dict[str, Any] | None = None
    """The problem of a failed job; `None` for the other states."""

    @property
    def over(self) -> bool:
        """True if the job has ended, with or without a result."""
        return self.state in ("done", "failed")


class JobProgress(BaseModel):
    """The progress of a job, in tiles."""

    done: int = 0
    total: int | None = Field(default=None, description="null until the picture is decoded")


class JobResult(BaseModel):
    """The result of a finished job."""

    url: str
    media_type: str
    bytes: int
    sha256: str
    conversions: str | None = Field(default=None, description="properties of the picture that the result could not keep")


class JobStatus(BaseModel):
    """The state and progress of a job."""

    id: str = Field(examples=["a3f1c0de9b7e4c55a3f1c0de9b7e4c55"])
    state: JobState
    model: str
    progress: JobProgress
    ahead: int = Field(description="number of jobs that run before this one")
    created: datetime
    finished: datetime | None = None
    expires: datetime | None = Field(default=None, description="time at which a finished job and its result are deleted")
    result: JobResult | None = None
    error: Problem | None = None


def job_status(job: Job, progress: JobProgress, ahead: int, root_path: str = "") -> JobStatus:
    """Return the job as the API returns it, with links under `root_path`."""
    return JobStatus(
        id=job.id,
        state=job.state,
        model=str(job.order.model),
        progress=_complete(job) if job.state == "done" else progress,
        ahead=ahead,
        created=_time(job.created),
        finished=_time(job.finished) if job.finished else None,
        expires=_time(job.expires) if job.expires else None,
        result=_result(job, root_path) if job.state == "done" else None,
        error=Problem(**job.error) if job.error else None,
    )


def _complete(job: Job) -> JobProgress:
    """Return the progress of a job that is done: all tiles, also after a restart of the service."""
    tiles = int(job.result["X-Upconv-Tiles"])
    return JobProgress(done=tiles, total=tiles)


def _result(job: Job, root_path: str) -> JobResult:
    headers = job.result
    return JobResult(
        url=f"{root_path}/v1/jobs/{job.id}/result",
        media_type=headers["Content-Type"],
        bytes=job.bytes_out,
        sha256=headers["ETag"].strip('"'),
        conversions=headers.get("X-Upconv-Conversions"),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
