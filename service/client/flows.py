"""The calls of a client as generators that yield requests and waits.

A client sends each request and passes the response, or the connection error, back into the generator. This way both clients
share the same code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from typing import TypeVar

import httpx

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.service.client.answers import JobInfo, ModelInfo, ServiceError, Upscaled

T = TypeVar("T")

Step = httpx.Request | float
"""A request to send, or seconds to wait."""
Flow = Generator[Step, httpx.Response | httpx.TransportError | None, T]
Build = Callable[..., httpx.Request]
"""The signature of `httpx.Client.build_request`."""

_RETRY_STATUSES = (429, 503)
_LOCAL = {"frames", "max_pixels", "max_output_pixels"}
"""Options that the service does not accept."""


@dataclass(frozen=True)
class RetryPolicy:
    """The retries if the service is busy or cannot be reached."""

    attempts: int = 5
    longest_wait_s: float = 60.0
    """If the service asks for a longer wait, in seconds, its error is raised at once."""
    first_wait_s: float = 0.5
    """Seconds before the first retry if there is no `Retry-After`. They double with each attempt."""

    def wait_s(self, answer: httpx.Response | httpx.TransportError | None, attempt: int) -> float | None:
        """Return the seconds until the next attempt, or `None` if there is no further attempt."""
        if attempt >= self.attempts:
            return None
        guess: float = self.first_wait_s * 2**attempt
        if not isinstance(answer, httpx.Response):
            return guess
        if answer.status_code not in _RETRY_STATUSES:
            return None
        header = answer.headers.get("retry-after", "")
        wait_s = float(header) if header.isascii() and header.isdigit() else guess
        return wait_s if wait_s <= self.longest_wait_s else None


@dataclass(frozen=True)
class PictureUpload:
    """A picture with its options and the name of a model."""

    picture: bytes
    """The bytes of an image file."""
    options: UpscaleOptions = DEFAULTS
    """All options except `frames` and the limits, which the service sets itself."""
    model: str | None = None
    """The name of a loaded model, or `None` for the service's default."""

    @property
    def query(self) -> dict[str, str]:
        """The query parameters: the options that differ from the defaults.

        Raises `ParameterError` if an option is set that the service does not accept.
        """
        given = {field.name: getattr(self.options, field.name) for field in fields(self.options)}
        given = {name: value for name, value in given.items() if value != getattr(DEFAULTS, name)}
        if local := sorted(given.keys() & _LOCAL):
            raise ParameterError(f"the service does not accept {', '.join(local)}; leave it out, or use upconv.runtime.process")
        given |= {} if self.model is None else {"model": self.model}
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def upscale(build: Build, retries: RetryPolicy, request: PictureUpload) -> Flow[Upscaled]:
    """Upscale a picture in one request."""
    sent = build("POST", "/v1/upscale", params=request.query, content=request.picture, headers=_BYTES)
    return Upscaled.of((yield from _sent(sent, retries)))


def submit(
    build: Build, retries: RetryPolicy, request: PictureUpload, key: str | None, result_url: str | None
) -> Flow[JobInfo]:
    """Submit a picture as a job. The idempotency key makes retries return the same job."""
    headers = {**_BYTES, "Idempotency-Key": key or uuid.uuid4().hex}
    query = request.query | ({} if result_url is None else {"result_url": result_url})
    sent = build("POST", "/v1/jobs", params=query, content=request.picture, headers=headers)
    return JobInfo.of((yield from _sent(sent, retries)))


def job(build: Build, retries: RetryPolicy, id: str) -> Flow[JobInfo]:
    """Return the state and progress of a job."""
    return JobInfo.of((yield from _sent(build("GET", f"/v1/jobs/{id}"), retries)))


def jobs(build: Build, retries: RetryPolicy, state: str | None) -> Flow[list[JobInfo]]:
    """Return the jobs of the API key, the newest first, from all pages."""
    found: list[JobInfo] = []
    query = {} if state is None else {"state": state}
    while True:
        page = (yield from _sent(build("GET", "/v1/jobs", params=query), retries)).json()
        found += map(JobInfo.of_status, page["jobs"])
        if page["next"] is None:
            return found
        query["after"] = page["next"]


def retry(build: Build, retries: RetryPolicy, id: str) -> Flow[JobInfo]:
    """Queue a failed job again."""
    return JobInfo.of((yield from _sent(build("POST", f"/v1/jobs/{id}/retry"), retries)))


def wait(build: Build, retries: RetryPolicy, id: str, on_progress: Callable[[JobInfo], object] | None) -> Flow[Upscaled]:
    """Wait for a job, and return its result; raise `ServiceError` if the job failed."""
    while True:
        answer = yield from _sent(build("GET", f"/v1/jobs/{id}"), retries)
        info = JobInfo.of(answer)
        if on_progress is not None:
            on_progress(info)
        if info.over:
            break
        yield float(answer.headers.get("retry-after", 1))
    if info.state == "failed":
        raise ServiceError(info.error or "the job failed")
    answer = yield from _sent(build("GET", f"/v1/jobs/{id}/result"), retries, redirected=True)
    if not answer.has_redirect_location:
        return Upscaled.of(answer)
    signed = httpx.Request("GET", answer.headers["location"])  # without the API key, which the storage would refuse
    return Upscaled.of((yield from _sent(signed, retries)), answer.headers)


def delete(build: Build, retries: RetryPolicy, id: str) -> Flow[None]:
    """Delete a job. A job that does not exist is not an error."""
    try:
        yield from _sent(build("DELETE", f"/v1/jobs/{id}"), retries)
    except ServiceError as error:
        if error.kind != "unknown-job":
            raise


def models(build: Build, retries: RetryPolicy) -> Flow[list[ModelInfo]]:
    """Return the loaded models."""
    return ModelInfo.all_of((yield from _sent(build("GET", "/v1/models"), retries)))


_BYTES = {"Content-Type": "application/octet-stream"}


def _sent(request: httpx.Request, retries: RetryPolicy, *, redirected: bool = False) -> Flow[httpx.Response]:
    """Send a request, with retries, and return the successful response. All requests here may be repeated.

    If `redirected`, a redirect counts as success.
    """
    attempt = 0
    while True:
        answer = yield request
        if isinstance(answer, httpx.Response) and (answer.is_success or (redirected and answer.has_redirect_location)):
            return answer
        seconds = retries.wait_s(answer, attempt)
        if seconds is None:
            break
        yield seconds
        attempt += 1
    if isinstance(answer, httpx.Response):
        raise ServiceError.of(answer)
    raise ServiceError(f"the service at {request.url.host} cannot be reached: {answer}") from answer
