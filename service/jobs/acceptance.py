"""Accepting a job: all checks come first, and an accepted job is on the disk."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
from dataclasses import dataclass

from upconv.runtime import Upscaler
from upconv.runtime.errors import first_line
from upconv.runtime.processing import predict_passes
from upconv.service import body
from upconv.service.errors import AdmissionFullError, KeyReusedError
from upconv.service.jobs.folder import JobFolder
from upconv.service.jobs.job import Job
from upconv.service.parameters import UpscaleQuery
from upconv.service.settings import Settings

_RETRY_S = 30
_MIN_FREE_BYTES = 64 * 2**20


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


def accept(request: Acceptance, upscaler: Upscaler, folder: JobFolder, settings: Settings) -> Job:
    """Write a job to the disk and return it, or return the earlier job with the same idempotency key.

    Raises `ImageError` or a subclass for a bad picture, `ParameterError` for bad parameters, `KeyReusedError` if the key came
    with another request before, and `AdmissionFullError` if there is no room.
    """
    picture = body.picture_in(request.data, request.content_type)
    job = _job(request, picture)
    accepted = folder.store.by_key(job.owner, job.idempotency_key) if job.idempotency_key else None
    if accepted is None:
        predict_passes(picture, upscaler, request.query.options(settings.limits))
        _check_room(len(picture), folder, settings)
        accepted = _store(job, picture, folder)
    if accepted.fingerprint != job.fingerprint:
        raise KeyReusedError("this Idempotency-Key was used before with another picture or other parameters; use a new one")
    return accepted


def _job(request: Acceptance, picture: bytes) -> Job:
    parameters = repr(sorted(request.query.model_dump().items()))
    fingerprint = hashlib.sha256(picture + parameters.encode()).hexdigest()
    return Job(uuid.uuid4().hex, request.owner, request.query, fingerprint, len(picture), time.time(), request.idempotency_key)


def _check_room(size: int, folder: JobFolder, settings: Settings) -> None:
    if (waiting := folder.store.waiting()) >= settings.max_jobs:
        raise AdmissionFullError(f"{waiting} jobs are already waiting; try again in {_RETRY_S} s", _RETRY_S)
    if folder.store.bytes() + size > settings.max_job_bytes or folder.free_bytes() < size + _MIN_FREE_BYTES:
        raise AdmissionFullError(f"there is no room on the disk for more pictures; try again in {_RETRY_S} s", _RETRY_S)


def _store(job: Job, picture: bytes, folder: JobFolder) -> Job:
    try:
        folder.write(folder.picture(job.id), picture)
        stored = folder.store.add(job)
    except (OSError, sqlite3.OperationalError) as error:
        folder.remove(job.id)
        raise AdmissionFullError(
            f"the picture cannot be stored: {first_line(error)}; try again in {_RETRY_S} s", _RETRY_S
        ) from error
    if stored.id != job.id:
        folder.remove(job.id)
    return stored
