"""The progress of a job as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from anyio import to_thread

from upconv.service.jobs.job import Job, job_status
from upconv.service.jobs.runner import JobRunner

SCHEMA = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done", "failed", "deleted"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "the same JSON as GET /v1/jobs/{id} returns",
        },
        "retry": {"type": "integer"},
    },
}
"""The OpenAPI schema of one event."""

_POLL_S = 1.0
"""Seconds between two checks whether the service is stopping."""
_KEEP_ALIVE_S = 15.0
"""Seconds without an event after which a comment is sent, so that proxies keep the connection open."""


async def stream(job: Job, runner: JobRunner, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield events until the job ends, is deleted, or the service stops.

    If the service stops, clients reconnect by themselves, to the process that runs then.
    """
    yield "retry: 1000\n\n"
    current: Job | None = job
    sent, silent_s = "", 0.0
    while not stopping():
        changed = runner.change(job.id)
        current = await to_thread.run_sync(runner.folder.store.get, job.id)
        if current is None:
            yield "event: deleted\ndata: {}\n\n"
            return
        text = await _text(current, runner)
        if text != sent:
            yield f"event: {current.state if current.over else 'progress'}\ndata: {text}\n\n"
            sent, silent_s = text, 0.0
        if current.over:
            return
        with anyio.move_on_after(_POLL_S):
            await changed.wait()
        silent_s += _POLL_S
        if silent_s >= _KEEP_ALIVE_S:
            yield ": still here\n\n"
            silent_s = 0.0


async def _text(job: Job, runner: JobRunner) -> str:
    ahead = await to_thread.run_sync(runner.folder.store.ahead, job)
    return job_status(job, runner.progress(job.id), ahead, runner.root_path).model_dump_json()
