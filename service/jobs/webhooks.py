"""Webhooks: telling the URL of a job that the job has ended. Failed attempts are repeated, also after a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

import anyio
import httpcore

from upconv.runtime.errors import ParameterError, first_line
from upconv.service.hosts import AllowedConnections, ForbiddenAddressError, HostRules
from upconv.service.jobs.job import Job, JobProgress, job_status
from upconv.service.jobs.runner import JobRunner
from upconv.service.jobs.signatures import signed_headers

PAUSES_S = (5.0, 30.0, 300.0, 1800.0, 7200.0, 18000.0)
"""Seconds before the second and each further attempt. There is none after the last pause, or after the job expired."""

Outcome = Literal["delivered", "failed", "given-up"]

_POLL_S = 0.5
_TIMEOUT_S = 10.0
_AT_ONCE = 8


@dataclass(frozen=True)
class WebhookContext:
    """The objects of the app that webhooks use."""

    hosts: HostRules
    secret: bytes
    succeeded: Callable[[], object]
    """Called after each look at the database."""
    count: Callable[[Outcome], object]
    log: Any


class Webhooks:
    """Sends the messages that are due."""

    def __init__(self, runner: JobRunner, context: WebhookContext) -> None:
        self._runner, self._context = runner, context

    async def run(self) -> None:
        """Send messages until cancelled."""
        store = self._runner.folder.store
        pool = httpcore.AsyncConnectionPool(network_backend=AllowedConnections(self._context.hosts), max_connections=_AT_ONCE)
        async with pool:
            while True:
                due = await self._runner.read(store.webhooks_due, time.time(), _AT_ONCE)
                async with anyio.create_task_group() as tasks:
                    for job in due:
                        tasks.start_soon(self._deliver, pool, job)
                self._context.succeeded()
                await anyio.sleep(0 if due else _POLL_S)

    async def _deliver(self, pool: httpcore.AsyncConnectionPool, job: Job) -> None:
        error = await self._error(pool, job)
        outcome, due = _next(job, error)
        await self._runner.write(self._runner.folder.store.told, job.id, due)
        self._context.count(outcome)
        reason = {"error": str(error)} if error else {}
        self._context.log.info("webhook", job=job.id, outcome=outcome, attempt=job.webhook_tries + 1, **reason)

    async def _error(self, pool: httpcore.AsyncConnectionPool, job: Job) -> WebhookError | None:
        """Send the message of a job; return `None` if it was accepted."""
        assert job.webhook is not None
        try:
            self._context.hosts.check(job.webhook)  # the operator may have changed the rules
            headers, body = self._message(job)
            with anyio.fail_after(_TIMEOUT_S):
                async with pool.stream("POST", job.webhook, headers=list(headers.items()), content=body) as response:
                    status = int(response.status)
        except (ParameterError, ForbiddenAddressError) as error:
            return WebhookError(str(error), final=True)
        except (OSError, *_HTTP_ERRORS) as error:
            return WebhookError(first_line(error), final=False)
        if 200 <= status < 300:
            return None
        return WebhookError(f"the status was {status}", final=status == HTTPStatus.GONE)

    def _message(self, job: Job) -> tuple[dict[str, str], bytes]:
        ended = datetime.fromtimestamp(job.finished or 0, UTC)
        status = job_status(job, JobProgress(), 0).model_dump(mode="json")
        body = json.dumps({"type": f"job.{job.state}", "timestamp": ended.isoformat(), "data": status}).encode()
        id = f"msg_{job.id}_{int(ended.timestamp() * 1000)}"
        headers = {"content-type": "application/json", "user-agent": "upconv"}
        return {**headers, **signed_headers(self._context.secret, id, int(time.time()), body)}, body


class WebhookError(Exception):
    """A message was not accepted."""

    def __init__(self, message: str, final: bool) -> None:
        super().__init__(message)
        self.final = final
        """True if no further attempt is made."""


_HTTP_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


def _next(job: Job, error: WebhookError | None) -> tuple[Outcome, float | None]:
    """Return what became of an attempt, and the time of the next one."""
    if error is None:
        return "delivered", None
    if error.final or job.webhook_tries >= len(PAUSES_S):
        return "given-up", None
    return "failed", time.time() + PAUSES_S[job.webhook_tries]
