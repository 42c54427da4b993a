"""The progress of a job as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from upconv.service.errors import StorageError
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
_PER_WATCHER_S = 0.001
"""Seconds by which each client that watches a job thins out its events, so that many of them do not keep the loop busy."""
_KEEP_ALIVE_S = 15.0
"""Seconds without an event after which a comment is sent, so that proxies keep the connection open."""


@dataclass(frozen=True)
class _Reading:
    """One reading of the status of a job, for all who watch it."""

    changed: anyio.Event
    """The event of the next change when the reading began."""
    at: float
    read: asyncio.Future[tuple[Job, str] | None]


class JobEvents:
    """The events of jobs. Any number of clients may watch one job: the database is read once for all of them."""

    def __init__(self, runner: JobRunner, stopping: Callable[[], bool]) -> None:
        self._runner, self._stopping = runner, stopping
        self._readings: dict[str, _Reading] = {}
        self._watchers: Counter[str] = Counter()

    async def stream(self, job: Job) -> AsyncIterator[str]:
        """Yield events until the job ends, is deleted, or the service stops.

        If the service stops, clients reconnect by themselves, to the process that runs then.
        """
        yield "retry: 1000\n\n"
        sent, silent_s = "", 0.0
        with self._watching(job.id):
            while not self._stopping():
                await self._runner.renew(job)
                changed = self._runner.change(job.id)
                event, over = await self._event(job.id, changed)
                if event not in ("", sent):
                    yield event
                    sent, silent_s = event, 0.0
                if over:
                    return
                await anyio.sleep(min(self._watchers[job.id] * _PER_WATCHER_S, _POLL_S))
                with anyio.move_on_after(_POLL_S):
                    await changed.wait()
                silent_s += _POLL_S
                if silent_s >= _KEEP_ALIVE_S:
                    yield ": still here\n\n"
                    silent_s = 0.0

    async def _event(self, id: str, changed: anyio.Event) -> tuple[str, bool]:
        """Return the current event, and true if it is the last one. There is none while the database cannot be read."""
        try:
            found = await self._shared(id, changed)
        except StorageError:
            return "", False
        if found is None:
            return "event: deleted\ndata: {}\n\n", True
        job, text = found
        return f"event: {job.state if job.over else 'progress'}\ndata: {text}\n\n", job.over

    async def _shared(self, id: str, changed: anyio.Event) -> tuple[Job, str] | None:
        now, latest = asyncio.get_running_loop().time(), self._readings.get(id)
        if latest is None or latest.changed is not changed or now - latest.at >= _POLL_S:
            latest = self._readings[id] = _Reading(changed, now, asyncio.ensure_future(self._read(id)))
        return await asyncio.shield(latest.read)

    async def _read(self, id: str) -> tuple[Job, str] | None:
        store = self._runner.storage.store
        job = await self._runner.read(store.get, id)
        if job is None:
            return None
        ahead = await self._runner.read(store.ahead, job)
        return job, job_status(job, self._runner.progress(job), ahead, self._runner.root_path).model_dump_json()

    @contextmanager
    def _watching(self, id: str) -> Iterator[None]:
        self._watchers[id] += 1
        try:
            yield
        finally:
            self._watchers[id] -= 1
            if not self._watchers[id]:
                del self._watchers[id]
                self._readings.pop(id, None)
