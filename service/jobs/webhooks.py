"""Webhooks: telling the URL of a job that the job has ended."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import anyio
import httpcore

from upconv.service.jobs.job import Job, JobProgress, job_status
from upconv.service.jobs.signatures import signed_headers
from upconv.service.jobs.store import JobStore

_TIMEOUT_S, _HOLD_S = 10.0, 60.0


class Webhooks:
    """Sends signed messages: a channel of `Deliveries`."""

    name = "webhook"

    def __init__(self, store: JobStore, secret: bytes) -> None:
        self._store, self._secret = store, secret

    def due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs whose message is due."""
        return self._store.webhooks_due(now, limit, _HOLD_S)

    def url(self, job: Job) -> str:
        """Return the URL that is told."""
        return job.webhook or ""

    def tries(self, job: Job) -> int:
        """Return the number of attempts so far."""
        return job.webhook_tries

    async def send(self, pool: httpcore.AsyncConnectionPool, job: Job) -> int:
        """Send the message of a job, and return the status of the answer."""
        headers, body = self._message(job)
        with anyio.fail_after(_TIMEOUT_S):
            async with pool.stream("POST", self.url(job), headers=list(headers.items()), content=body) as response:
                return int(response.status)

    def note(self, job: Job, error: str | None, due: float | None) -> None:
        """Store an attempt."""
        self._store.told(job.id, due)

    def _message(self, job: Job) -> tuple[dict[str, str], bytes]:
        ended = datetime.fromtimestamp(job.finished or 0, UTC)
        status = job_status(job, JobProgress(), 0).model_dump(mode="json")
        body = json.dumps({"type": f"job.{job.state}", "timestamp": ended.isoformat(), "data": status}).encode()
        id = f"msg_{job.id}_{int(ended.timestamp() * 1000)}"
        headers = {"content-type": "application/json", "user-agent": "upconv"}
        return {**headers, **signed_headers(self._secret, id, int(time.time()), body)}, body
