"""A job, as the store keeps it and as the API returns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    """Number of starts that a failure of the service ended, and the current one. After a few of them the job fails."""
    troubles: int = 0
    """Number of starts that passing trouble ended, such as a full disk. The pauses grow with it."""
    due: float = 0.0
    """Time before which a queued job is not started."""
    claim: int = 0
    """Number of starts so far. It tells the current start from an earlier one, whose result comes too late."""
    claimed_until: float | None = None
    """Time after which the job of a replica that is silent goes to another one."""
    finished: float | None = None
    expires: float | None = None
    bytes_out: int = 0
    result: dict[str, str] = field(default_factory=dict)
    """Response headers of the result."""
    error: dict[str, Any] | None = None
    """The problem of a failed job, or the trouble that a queued job waits out."""
    tiles_done: int = 0
    tiles: int | None = None
    """The tiles of an ended job, and how many of them were computed; with replicas, also those of a running job."""
    lease_s: float | None = None
    """Seconds without a sign of life of the client after which the job is deleted; `None` for never."""
    renewed: float = 0.0
    """Time of the last sign of life that a replica noted."""
    webhook: str | None = None
    """The URL that is told when the job ends."""
    webhook_due: float | None = None
    """Time of the next attempt to tell it; `None` if there is none to come."""
    webhook_tries: int = 0
    webhook_held: float = 0.0
    """Time until which one replica alone makes the attempt."""
    result_url: str | None = None
    """The URL to which the result is sent when the job is done."""
    upload_due: float | None = None
    """Time of the next attempt to send it; `None` if there is none to come."""
    upload_tries: int = 0
    upload_held: float = 0.0
    """Time until which one replica alone makes the attempt."""
    upload_error: str | None = None
    """The error of the last attempt."""
    uploaded: float | None = None
    """Time at which an attempt succeeded."""

    @property
    def over(self) -> bool:
        """True if the job has ended, with or without a result."""
        return self.state in ("done", "failed")


@dataclass(frozen=True)
class JobFilter:
    """One page of a list of jobs."""

    state: JobState | None = None
    limit: int = 50
    after: tuple[float, str] | None = None
    """The time and the id of the last job of the page before."""


class JobListQuery(BaseModel):
    """The choice of listed jobs, as query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: JobState | None = Field(default=None, description="only jobs of this state")
    limit: int = Field(default=50, ge=1, le=200, description="most jobs of one page")
    after: str | None = Field(
        default=None, pattern=r"^\d{1,12}(\.\d{1,9})?-\w{1,64}$", description="the field `next` of the page before"
    )

    def filter(self) -> JobFilter:
        """Return the choice for the store."""
        created, _, id = (self.after or "").partition("-")
        return JobFilter(self.state, self.limit, (float(created), id) if created else None)


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


class JobDelivery(BaseModel):
    """The delivery of the result to `result_url`."""

    url: str = Field(description="the URL without its query, which may be secret")
    state: Literal["waiting", "delivered", "failed"] = Field(description="failed if no further attempt is made")
    attempts: int
    error: str | None = Field(default=None, description="why the last attempt failed")
    delivered: datetime | None = None
    next_attempt: datetime | None = None


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
    delivery: JobDelivery | None = None
    lease_s: float | None = Field(default=None, description="seconds without a request for the job after which it is deleted")
    error: Problem | None = Field(default=None, description="why the job failed, or what a queued job waits out")


class JobPage(BaseModel):
    """Jobs of one key, the newest first."""

    jobs: list[JobStatus]
    next: str | None = Field(default=None, description="the parameter `after` of the next page; null on the last page")


def job_status(job: Job, progress: JobProgress, ahead: int, root_path: str = "") -> JobStatus:
    """Return the job as the API returns it, with links under `root_path`."""
    return JobStatus(
        id=job.id,
        state=job.state,
        model=str(job.order.model),
        progress=_ended_progress(job) if job.over else progress,
        ahead=ahead,
        created=_time(job.created),
        finished=_time(job.finished) if job.finished else None,
        expires=_time(job.expires) if job.expires else None,
        result=_result(job, root_path) if job.state == "done" else None,
        delivery=_delivery(job, job.result_url) if job.result_url else None,
        lease_s=job.lease_s,
        error=Problem(**job.error) if job.error and job.state in ("queued", "failed") else None,
    )


def job_page(jobs: list[JobStatus], rows: list[Job], limit: int) -> JobPage:
    """Return a page of jobs. It has a next one if it is full."""
    last = rows[-1] if len(rows) == limit else None
    return JobPage(jobs=jobs, next=f"{last.created!r}-{last.id}" if last else None)


def _ended_progress(job: Job) -> JobProgress:
    """Return the true progress of a job that ended, also after a restart of the service."""
    if job.state == "failed":
        return JobProgress(done=job.tiles_done, total=job.tiles)
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


def _delivery(job: Job, url: str) -> JobDelivery:
    waiting = not job.over or job.upload_due is not None
    return JobDelivery(
        url=without_query(url),
        state="delivered" if job.uploaded else "waiting" if waiting else "failed",
        attempts=job.upload_tries,
        error=job.upload_error,
        delivered=_time(job.uploaded) if job.uploaded else None,
        next_attempt=_time(job.upload_due) if job.upload_due else None,
    )


def without_query(url: str) -> str:
    """Return a URL without its query, which holds the signature of a presigned URL."""
    return url.partition("?")[0]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
