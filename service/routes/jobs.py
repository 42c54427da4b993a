"""`/v1/jobs`: pictures that are upscaled in the background."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from upconv.service import body, cache
from upconv.service.access import owner_of
from upconv.service.errors import KeyRequiredError, NotDoneError, UnknownJobError
from upconv.service.jobs import events
from upconv.service.jobs.acceptance import Acceptance, JobQuery, accept, queue_again
from upconv.service.jobs.job import Job, JobListQuery, JobPage, JobStatus, job_page, job_status
from upconv.service.openapi import NOT_MODIFIED, PICTURE, PICTURE_BODY, problems
from upconv.service.parameters import accepted_format
from upconv.service.routes.dependencies import Shared
from upconv.service.routes.results import result_response
from upconv.service.state import ServiceState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_POLL_S = "1"
_Id = Annotated[str, Path(description="the id of the job", examples=["a3f1c0de9b7e4c55a3f1c0de9b7e4c55"])]


async def _find(id: _Id, request: Request, state: Shared) -> Job:
    job = await state.jobs.read(state.jobs.storage.store.get, id)
    if job is None or job.owner not in (owner_of(request), "") or (job.expires or math.inf) <= state.jobs.storage.store.now():
        raise UnknownJobError(f"there is no job {id[:40]!r}; finished jobs are deleted after {state.settings.job_ttl_s:g} s")
    await state.jobs.renew(job)
    return job


_ExistingJob = Annotated[Job, Depends(_find)]


@router.post(
    "",
    summary="Upscale a picture in the background",
    status_code=202,
    responses={**problems(400, 401, 404, 408, 409, 413, 415, 422, 429, 431, 503)},
    openapi_extra=PICTURE_BODY,
)
async def submit(
    request: Request,
    response: Response,
    query: Annotated[JobQuery, Query()],
    state: Shared,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, description="a repeated request with this key returns the same job")
    ] = None,
) -> JobStatus:
    """Accept the same request as `/v1/upscale`, as a job. An accepted job continues after a restart of the service."""
    models = state.models.upscaling_models(query.model)
    body.media_type(request)
    if query.webhook is not None:
        state.webhook_hosts.check(query.webhook)
    if query.result_url is not None:
        state.result_hosts.check(query.result_url)
    with models.in_use(), state.admission.reading() as ticket:
        data = await body.read(request, state.settings, ticket)
        order = query.order(format=query.format or accepted_format(request.headers.get("accept", "")), model=models.name)
        acceptance = Acceptance(
            data,
            request.headers.get("content-type", ""),
            order,
            owner_of(request),
            idempotency_key,
            query.lease_s,
            query.webhook,
            query.result_url,
        )
        job = await state.jobs.write(accept, acceptance, models.upscaler, state.jobs.storage, state.settings)
    return await _queued(job, response, state)


@router.get("", summary="List the jobs of a key", responses=problems(401, 422, 429, 503))
async def own_jobs(request: Request, query: Annotated[JobListQuery, Query()], state: Shared, response: Response) -> JobPage:
    """Return the jobs of the API key, the newest first. Without a key there is no list, as it would show the jobs of everyone."""
    owner = owner_of(request)
    if not owner:
        raise KeyRequiredError("jobs are listed by API key, and this request has none; keep the ids of your jobs instead")
    response.headers["Cache-Control"] = "no-store"
    rows = await state.jobs.read(state.jobs.storage.store.of_owner, owner, query.filter())
    return job_page([await _status_of(job, state) for job in rows], rows, query.limit)


@router.post("/{id}/retry", summary="Try a failed job again", status_code=202, responses=problems(401, 404, 409, 429, 503))
async def retry(job: _ExistingJob, state: Shared, response: Response) -> JobStatus:
    """Queue a failed job again. A queued job that waits out trouble is started as soon as its turn comes."""
    return await _queued(await state.jobs.write(queue_again, job, state.jobs.storage, state.settings), response, state)


@router.get("/{id}", summary="Get the state of a job", responses=problems(401, 404, 429, 503))
async def status(job: _ExistingJob, state: Shared, response: Response) -> JobStatus:
    """Return the state and progress of a job. `Retry-After` is the interval for polling."""
    response.headers["Cache-Control"] = "no-store"
    if not job.over:
        response.headers["Retry-After"] = _POLL_S
    return await _status_of(job, state)


@router.get(
    "/{id}/events",
    summary="Follow the progress of a job",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, each with the status of the job",
            "content": {"text/event-stream": {"schema": events.SCHEMA}},
        },
        **problems(401, 404, 429, 503),
    },
)
async def watch(job: _ExistingJob, state: Shared) -> StreamingResponse:
    """Stream an event `progress` at each change. The last event is `done`, `failed` or `deleted`."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(state.job_events.stream(job), media_type="text/event-stream", headers=headers)


@router.get(
    "/{id}/result",
    summary="Get the upscaled picture",
    response_class=FileResponse,
    responses={
        200: PICTURE,
        206: {
            "description": "The requested range of bytes",
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        302: {"description": "A redirect to a signed URL of the object storage, if the service is set up so"},
        304: NOT_MODIFIED,
        **problems(401, 404, 409, 416, 429, 503),
    },
)
async def result(request: Request, job: _ExistingJob, state: Shared) -> Response:
    """Return the upscaled picture, or a range of its bytes, until the job expires."""
    if job.state != "done":
        ended = f": {job.error['detail']}" if job.error else "; it has no result yet"
        raise NotDoneError(f"the job is {job.state}{ended}")
    if cache.matches(request.headers.get("if-none-match", ""), job.result["ETag"]):
        return Response(status_code=304, headers={"ETag": job.result["ETag"], "Cache-Control": "private, no-cache"})
    return await result_response(request, job, state)


@router.delete("/{id}", summary="Delete a job", status_code=204, responses=problems(401, 404, 429, 503))
async def delete(job: _ExistingJob, state: Shared) -> None:
    """Stop a job, and delete its picture and its result."""
    await state.jobs.delete(job.id)


async def _queued(job: Job, response: Response, state: ServiceState) -> JobStatus:
    await state.jobs.renew(job)
    state.jobs.added()
    state.jobs.notify(job.id)
    response.headers["Location"] = f"{state.settings.root_path}/v1/jobs/{job.id}"
    response.headers["Retry-After"] = _POLL_S
    return await _status_of(job, state)


async def _status_of(job: Job, state: ServiceState) -> JobStatus:
    ahead = await state.jobs.read(state.jobs.storage.store.ahead, job)
    return job_status(job, state.jobs.progress(job), ahead, state.settings.root_path)
