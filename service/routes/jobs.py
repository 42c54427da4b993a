"""`/v1/jobs`: work that is accepted now and fetched later."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from upconv.service import body
from upconv.service.access import owner_of
from upconv.service.errors import NotDoneError, UnknownJobError
from upconv.service.jobs import events
from upconv.service.jobs.acceptance import Acceptance, accept
from upconv.service.jobs.job import Job, JobStatus, job_status
from upconv.service.openapi import PICTURE, PICTURE_BODY, problems
from upconv.service.parameters import UpscaleQuery, accepted_format
from upconv.service.routes.dependencies import Shared
from upconv.service.state import ServiceState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_POLL_S = "1"
_Id = Annotated[str, Path(description="as the job was accepted with", examples=["a3f1c0de9b7e4c55a3f1c0de9b7e4c55"])]


async def _find(id: _Id, request: Request, state: Shared) -> Job:
    job = await to_thread.run_sync(state.jobs.folder.store.get, id)
    if job is None or job.owner not in (owner_of(request), ""):
        raise UnknownJobError(f"there is no job {id[:40]!r}; finished ones are deleted after {state.settings.job_ttl_s:g} s")
    return job


_Known = Annotated[Job, Depends(_find)]


@router.post(
    "",
    summary="Enlarge a picture later",
    status_code=202,
    responses={**problems(400, 401, 404, 408, 409, 413, 415, 422, 429, 503)},
    openapi_extra=PICTURE_BODY,
)
async def submit(
    request: Request,
    response: Response,
    query: Annotated[UpscaleQuery, Query()],
    state: Shared,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, description="a second request with it gives the first one's job")
    ] = None,
) -> JobStatus:
    """The parameters of `/v1/upscale`, as a job. An accepted job is finished even if the service restarts."""
    entry, upscaler = state.models.upscaling(query.model)
    body.media_type(request)
    with entry.in_use(), state.admission.reading() as ticket:
        data = await body.read(request, state.settings.max_bytes, state.settings.body_timeout_s, ticket)
        wanted = query.model_copy(
            update={"format": query.format or accepted_format(request.headers.get("accept", "")), "model": entry.name}
        )
        acceptance = Acceptance(data, request.headers.get("content-type", ""), wanted, owner_of(request), idempotency_key)
        job = await to_thread.run_sync(accept, acceptance, upscaler, state.jobs.folder, state.settings)
    state.jobs.added()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = _POLL_S
    return await _told(job, state)


@router.get("/{id}", summary="How far a job is", responses=problems(401, 404, 429, 503))
async def status(job: _Known, state: Shared, response: Response) -> JobStatus:
    """For polling. `Retry-After` states when to ask again."""
    response.headers["Cache-Control"] = "no-store"
    if not job.over:
        response.headers["Retry-After"] = _POLL_S
    return await _told(job, state)


@router.get(
    "/{id}/events",
    summary="How far a job is, as it happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, each a job's status",
            "content": {"text/event-stream": {"schema": events.SCHEMA}},
        },
        **problems(401, 404, 429, 503),
    },
)
async def watch(job: _Known, state: Shared) -> StreamingResponse:
    """An event `progress` for every change, and one of `done`, `failed` or `deleted` at the end of the stream."""
    stream = events.stream(job, state.jobs, lambda: state.draining)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.get(
    "/{id}/result",
    summary="The enlarged picture",
    response_class=FileResponse,
    responses={
        200: PICTURE,
        206: {
            "description": "The range of bytes that was asked for",
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(401, 404, 409, 416, 429, 503),
    },
)
async def result(job: _Known, state: Shared) -> FileResponse:
    """The picture, any number of times until the job expires. Ranges of bytes are supported."""
    if job.state != "done":
        ended = f" and says: {job.error['detail']}" if job.error else "; it has no result yet"
        raise NotDoneError(f"the job is {job.state}{ended}")
    path = state.jobs.folder.result(job.id)
    if not path.exists():
        raise UnknownJobError(f"the job {job.id!r} has just been deleted")
    return FileResponse(path, headers={**job.result, "Cache-Control": "private, no-cache"})


@router.delete("/{id}", summary="Delete a job", status_code=204, responses=problems(401, 404, 429, 503))
async def delete(job: _Known, state: Shared) -> None:
    """Cancels the work, and deletes the picture and the result."""
    await state.jobs.delete(job.id)


async def _told(job: Job, state: ServiceState) -> JobStatus:
    ahead = await to_thread.run_sync(state.jobs.folder.store.ahead, job)
    return job_status(job, state.jobs.progress(job.id), ahead)
