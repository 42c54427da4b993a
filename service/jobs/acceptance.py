"""Taking a job on: everything that can be refused is refused now, and what is accepted lies on the disk."""

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
_LEAST_FREE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Acceptance:
    """What is to be accepted."""

    data: bytes
    """The request's body."""
    content_type: str
    query: UpscaleQuery
    """With the model's name."""
    owner: str
    idempotency_key: str | None


def accept(given: Acceptance, upscaler: Upscaler, folder: JobFolder, settings: Settings) -> Job:
    """The job, kept on the disk; or the one that was accepted with the same idempotency key before.

    Raises `ImageError` and its children, `ParameterError`, `KeyReusedError`, and `AdmissionFullError` where there is no room.
    """
    picture = body.picture_in(given.data, given.content_type)
    job = _job(given, picture)
    known = folder.store.by_key(job.owner, job.idempotency_key) if job.idempotency_key else None
    if known is None:
        predict_passes(picture, upscaler, given.query.options(settings.limits))
        _find_room(len(picture), folder, settings)
        known = _keep(job, picture, folder)
    if known.fingerprint != job.fingerprint:
        raise KeyReusedError("this Idempotency-Key came with another picture or other parameters before; take a new one")
    return known


def _job(given: Acceptance, picture: bytes) -> Job:
    asked = repr(sorted(given.query.model_dump().items()))
    fingerprint = hashlib.sha256(picture + asked.encode()).hexdigest()
    return Job(uuid.uuid4().hex, given.owner, given.query, fingerprint, len(picture), time.time(), given.idempotency_key)


def _find_room(size: int, folder: JobFolder, settings: Settings) -> None:
    if (waiting := folder.store.waiting()) >= settings.max_jobs:
        raise AdmissionFullError(f"{waiting} jobs are waiting already; try again in {_RETRY_S} s", _RETRY_S)
    if folder.store.bytes() + size > settings.max_job_bytes or folder.free_bytes() < size + _LEAST_FREE_BYTES:
        raise AdmissionFullError(f"there is no room for further pictures; try again in {_RETRY_S} s", _RETRY_S)


def _keep(job: Job, picture: bytes, folder: JobFolder) -> Job:
    try:
        folder.write(folder.picture(job.id), picture)
        kept = folder.store.add(job)
    except (OSError, sqlite3.OperationalError) as error:
        folder.remove(job.id)
        raise AdmissionFullError(
            f"the picture cannot be kept: {first_line(error)}; try again in {_RETRY_S} s", _RETRY_S
        ) from error
    if kept.id != job.id:
        folder.remove(job.id)
    return kept
