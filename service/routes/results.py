"""The response with the result of a job: a file, parts of an object, or a redirect to it."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from upconv.service.errors import UnknownJobError
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import each_chunk, result_name
from upconv.service.sending import ResultFile, beyond_end, single_range
from upconv.service.state import ServiceState

_CACHING = {"Cache-Control": "private, no-cache"}


async def result_response(request: Request, job: Job, state: ServiceState) -> Response:
    """Return the response with the result of a job that is done.

    Raises `UnknownJobError` if the result is gone, and `StorageError` if it cannot be read at the moment.
    """
    files, name = state.jobs.storage.files, result_name(job)
    path, headers = files.path(name), {**job.result, **_CACHING}
    if path is not None:
        if not await state.jobs.read(files.exists, name):
            raise _gone(job)
        return ResultFile(path, headers=headers)
    if state.settings.jobs_presign:
        url = await state.jobs.read(files.url, name, job.result["Content-Type"])
        if url is not None:
            described = {name: value for name, value in job.result.items() if name.startswith("X-Upconv-") or name == "ETag"}
            return RedirectResponse(url, 302, {**described, "Cache-Control": "no-store"})
    return await _streamed(request, job, state, headers)


async def _streamed(request: Request, job: Job, state: ServiceState, headers: dict[str, str]) -> Response:
    """Pass on an object, or one range of its bytes. Several ranges are answered with the whole object, as RFC 9110 allows."""
    size, known = job.bytes_out, request.headers.get("if-range")
    part = single_range(request.headers.get("range", ""), size) if known in (None, job.result["ETag"]) else None
    if part is not None and part.start >= size:
        return beyond_end(request.url.path, size)
    start, stop = (0, size) if part is None else (part.start, part.stop)
    try:
        chunks = await state.jobs.read(state.jobs.storage.files.chunks, result_name(job), start, stop)
    except FileNotFoundError as error:
        raise _gone(job) from error
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(stop - start)}
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(each_chunk(chunks), 200 if part is None else 206, headers)


def _gone(job: Job) -> UnknownJobError:
    return UnknownJobError(f"the job {job.id!r} was deleted in the meantime")
