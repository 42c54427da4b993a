"""Accepting a job: all checks come first, and an accepted job is on the disk."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from pydantic import Field

from upconv.runtime.errors import first_line
from upconv.runtime.processing import PassPlanner, predict_passes
from upconv.service import body
from upconv.service.errors import AdmissionFullError, KeyReusedError, NotRetriableError, RateLimitError, StorageError
from upconv.service.jobs.job import Job, without_query
from upconv.service.jobs.job_files import JobFiles, picture_name
from upconv.service.jobs.storage import JobStorage
from upconv.service.parameters import UpscaleQuery
from upconv.service.settings import Settings

_RETRY_S = 30
_MIN_FREE_BYTES = 64 * 2**20


class JobQuery(UpscaleQuery):
    """The options of a picture and of its job, as query parameters."""

    lease_s: float | None = Field(
        default=None,
        ge=5,
        le=86400,
        allow_inf_nan=False,
        description="delete the job after this many seconds without a request for it or an open stream of its events",
    )
    webhook: str | None = Field(
        default=None, max_length=2000, description="a URL that gets a signed POST when the job ends; its host must be allowed"
    )
    result_url: str | None = Field(
        default=None,
        max_length=4000,
        description="a URL, such as a presigned one of S3, to which the result is sent by PUT; its host must be allowed",
    )

    def order(self, **changes: str | None) -> UpscaleQuery:
        """Return the options of the picture alone, with changes."""
        values = {name: getattr(self, name) for name in UpscaleQuery.model_fields}
        return UpscaleQuery(**{**values, **changes})


@dataclass(frozen=True)
class Acceptance:
    """A request for a job, before it is checked."""

    data: bytes
    """The body of the request."""
    content_type: str
    query: UpscaleQuery
    """The parameters, with the name of the model."""
    owner: str
    """The name of the API key; empty if no keys are set."""
    idempotency_key: str | None
    lease_s: float | None = None
    webhook: str | None = None
    result_url: str | None = None


def accept(request: Acceptance, upscaler: PassPlanner, storage: JobStorage, settings: Settings) -> Job:
    """Write a job to the disk and return it, or return the earlier job with the same idempotency key.

    Raises `ImageError` or a subclass for a bad picture, `ParameterError` for bad parameters, `KeyReusedError` if the key came
    with another request before, `AdmissionFullError` if there is no room, `RateLimitError` if too many jobs of the owner wait,
    and `StorageError` if the database cannot be used.
    """
    picture = body.picture_in(request.data, request.content_type)
    job = _job(request, picture, storage.store.now())
    accepted = storage.store.by_key(job.owner, job.idempotency_key) if job.idempotency_key else None
    if accepted is None:
        predict_passes(picture, upscaler, request.query.options(settings.limits))
        _check_queue(job.owner, storage, settings)
        accepted = _store(job, picture, storage, settings)
    if accepted.fingerprint != job.fingerprint:
        raise KeyReusedError("this Idempotency-Key was used before with another picture or other parameters; use a new one")
    return accepted


def queue_again(job: Job, storage: JobStorage, settings: Settings) -> Job:
    """Queue a failed job again, or end the pause of a queued one.

    Raises `NotRetriableError` if the job is neither or its picture is gone, and the errors of `accept` if the queue is full.
    """
    if job.state not in ("failed", "queued"):
        raise NotRetriableError(f"the job is {job.state}; only a failed job, or a queued one that pauses, is tried again")
    if not storage.files.exists(picture_name(job.id)):
        raise NotRetriableError("the picture of this job is gone; send it again")
    if job.state == "failed":
        _check_queue(job.owner, storage, settings)
    queued = storage.store.requeue(job.id)
    if queued is None:
        raise NotRetriableError("the job was started or deleted in the meantime")
    return queued


def _job(request: Acceptance, picture: bytes, now: float) -> Job:
    # A repeated request may have a new signature in the query of its URL.
    urls = (request.webhook or "") + without_query(request.result_url or "")
    parameters = repr(sorted(request.query.model_dump().items())) + urls
    fingerprint = hashlib.sha256(picture + parameters.encode()).hexdigest()
    return Job(
        uuid.uuid4().hex,
        request.owner,
        request.query,
        fingerprint,
        len(picture),
        now,
        request.idempotency_key,
        lease_s=request.lease_s,
        webhook=request.webhook,
        result_url=request.result_url,
    )


def _check_queue(owner: str, storage: JobStorage, settings: Settings) -> None:
    if (waiting := storage.store.waiting()) >= settings.max_jobs:
        raise AdmissionFullError(f"{waiting} jobs are already waiting; try again in {_RETRY_S} s", _RETRY_S)
    if owner and (own := storage.store.waiting(owner)) >= settings.most_jobs_per_key:
        raise RateLimitError(f"{own} jobs of this key are already waiting; try again in {_RETRY_S} s", _RETRY_S)


def _store(job: Job, picture: bytes, storage: JobStorage, settings: Settings) -> Job:
    store, files, name = storage.store, storage.files, picture_name(job.id)
    try:
        if store.bytes() + len(picture) > settings.max_job_bytes or not _has_room(files, len(picture)):
            raise AdmissionFullError(f"there is no room on the disk for more pictures; try again in {_RETRY_S} s", _RETRY_S)
        files.write(name, picture)
        stored = store.add(job)
    except StorageError:
        # A server that is cut off may have stored the job nevertheless, so its picture stays until it counts as a stray.
        if not store.shared:
            files.remove(name)
        raise
    except OSError as error:
        files.remove(name)
        raise AdmissionFullError(
            f"the picture cannot be stored: {error.strerror or first_line(error)}; try again in {_RETRY_S} s", _RETRY_S
        ) from error
    if stored.id != job.id:
        files.remove(name)
    return stored


def _has_room(files: JobFiles, bytes: int) -> bool:
    free = files.free_bytes()
    return free is None or free >= bytes + _MIN_FREE_BYTES
