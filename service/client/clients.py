"""The two clients, with the same methods: one for threads, one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.service.client import flows
from upconv.service.client.answers import JobInfo, ModelInfo, Upscaled
from upconv.service.client.flows import Flow, PictureUpload, RetryPolicy, Step

T = TypeVar("T")

JobState = Literal["queued", "running", "done", "failed"]

_RETRIES = RetryPolicy()


def _options(url: str, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": url, "headers": headers, "timeout": httpx.Timeout(timeout_s, connect=10)}


class Client:
    """A blocking client; threads may share it.

    Each method raises `ServiceError` if the service refuses the request.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        retries: RetryPolicy = _RETRIES,
        timeout_s: float = 130.0,
        **options: Any,
    ) -> None:
        """Connect to the service at `url`; `options` go to `httpx.Client`.

        `retries` is the policy of retries. `timeout_s` limits each request.
        """
        self._http = httpx.Client(**_options(url, api_key, timeout_s), **options)
        self._retries = retries

    def upscale(self, picture: bytes, options: UpscaleOptions = DEFAULTS, *, model: str | None = None) -> Upscaled:
        """Upscale an image file."""
        return self._run(flows.upscale(self._http.build_request, self._retries, PictureUpload(picture, options, model)))

    def submit(
        self,
        picture: bytes,
        options: UpscaleOptions = DEFAULTS,
        *,
        model: str | None = None,
        idempotency_key: str | None = None,
        result_url: str | None = None,
    ) -> JobInfo:
        """Submit an image file as a job. A repeated request with the same key returns the same job.

        The service sends the result to `result_url`, such as a presigned URL of S3, if its operator allows the host.
        """
        upload = PictureUpload(picture, options, model)
        return self._run(flows.submit(self._http.build_request, self._retries, upload, idempotency_key, result_url))

    def job(self, id: str) -> JobInfo:
        """Return the state and progress of a job."""
        return self._run(flows.job(self._http.build_request, self._retries, id))

    def jobs(self, state: JobState | None = None) -> list[JobInfo]:
        """Return the jobs of the API key, the newest first; those of one state, if it is given."""
        return self._run(flows.jobs(self._http.build_request, self._retries, state))

    def retry(self, id: str) -> JobInfo:
        """Queue a failed job again; a queued job that waits out trouble is tried at once."""
        return self._run(flows.retry(self._http.build_request, self._retries, id))

    def wait(self, id: str, on_progress: Callable[[JobInfo], object] | None = None) -> Upscaled:
        """Wait for a job and return its result; call `on_progress` after each poll."""
        return self._run(flows.wait(self._http.build_request, self._retries, id, on_progress))

    def delete(self, id: str) -> None:
        """Delete a job and its result."""
        self._run(flows.delete(self._http.build_request, self._retries, id))

    def models(self) -> list[ModelInfo]:
        """Return the loaded models."""
        return self._run(flows.models(self._http.build_request, self._retries))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        answer: httpx.Response | httpx.TransportError | None = None
        try:
            while True:
                answer = self._do(flow.send(answer))
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Step) -> httpx.Response | httpx.TransportError | None:
        if not isinstance(step, httpx.Request):
            time.sleep(step)
            return None
        try:
            return self._http.send(step)
        except httpx.TransportError as error:
            return error


class AsyncClient:
    """A client for asyncio. Each method raises `ServiceError` if the service refuses the request."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        retries: RetryPolicy = _RETRIES,
        timeout_s: float = 130.0,
        **options: Any,
    ) -> None:
        """Connect to the service at `url`; `options` go to `httpx.AsyncClient`.

        `retries` is the policy of retries. `timeout_s` limits each request.
        """
        self._http = httpx.AsyncClient(**_options(url, api_key, timeout_s), **options)
        self._retries = retries

    async def upscale(self, picture: bytes, options: UpscaleOptions = DEFAULTS, *, model: str | None = None) -> Upscaled:
        """Upscale an image file."""
        return await self._run(flows.upscale(self._http.build_request, self._retries, PictureUpload(picture, options, model)))

    async def submit(
        self,
        picture: bytes,
        options: UpscaleOptions = DEFAULTS,
        *,
        model: str | None = None,
        idempotency_key: str | None = None,
        result_url: str | None = None,
    ) -> JobInfo:
        """Submit an image file as a job. A repeated request with the same key returns the same job.

        The service sends the result to `result_url`, such as a presigned URL of S3, if its operator allows the host.
        """
        upload = PictureUpload(picture, options, model)
        return await self._run(flows.submit(self._http.build_request, self._retries, upload, idempotency_key, result_url))

    async def job(self, id: str) -> JobInfo:
        """Return the state and progress of a job."""
        return await self._run(flows.job(self._http.build_request, self._retries, id))

    async def jobs(self, state: JobState | None = None) -> list[JobInfo]:
        """Return the jobs of the API key, the newest first; those of one state, if it is given."""
        return await self._run(flows.jobs(self._http.build_request, self._retries, state))

    async def retry(self, id: str) -> JobInfo:
        """Queue a failed job again; a queued job that waits out trouble is tried at once."""
        return await self._run(flows.retry(self._http.build_request, self._retries, id))

    async def wait(self, id: str, on_progress: Callable[[JobInfo], object] | None = None) -> Upscaled:
        """Wait for a job and return its result; call `on_progress` after each poll."""
        return await self._run(flows.wait(self._http.build_request, self._retries, id, on_progress))

    async def delete(self, id: str) -> None:
        """Delete a job and its result."""
        await self._run(flows.delete(self._http.build_request, self._retries, id))

    async def models(self) -> list[ModelInfo]:
        """Return the loaded models."""
        return await self._run(flows.models(self._http.build_request, self._retries))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, flow: Flow[T]) -> T:
        answer: httpx.Response | httpx.TransportError | None = None
        try:
            while True:
                answer = await self._do(flow.send(answer))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Step) -> httpx.Response | httpx.TransportError | None:
        if not isinstance(step, httpx.Request):
            await asyncio.sleep(step)
            return None
        try:
            return await self._http.send(step)
        except httpx.TransportError as error:
            return error
