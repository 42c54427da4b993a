"""The tasks of a replica of the service for jobs that it shares with others.

Each one hears of all changes and of the progress of jobs that another one computes. It keeps the jobs that it computes by a
heartbeat, and queues those of replicas that were silent for too long.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing, suppress

import anyio
from anyio import current_time

from upconv.service.errors import StorageError
from upconv.service.jobs.job import JobProgress
from upconv.service.jobs.runner import JobRunner
from upconv.service.supervisor import Supervisor

BEATS = 6
"""Heartbeats during the time after which a silent replica loses its jobs."""
_TELL_S = 0.5
"""Seconds between two messages about the progress of a job."""
_CHECK_S = 15.0


class Replicas:
    """The tasks of one replica. Its methods run in the event loop of its runner."""

    def __init__(self, runner: JobRunner, supervisor: Supervisor, claim_s: float) -> None:
        self._runner, self._supervisor, self._claim_s = runner, supervisor, claim_s
        self._reached_since: float | None = None
        """Time since which the database answered every heartbeat."""

    async def listen(self, succeeded: Callable[[], object]) -> None:
        """Hear what other replicas tell, until cancelled or cut off; call `succeeded` while that works."""
        async with aclosing(self._runner.storage.store.database.messages()) as messages:
            await anext(messages)  # from here on, nothing is missed
            self._runner.missed_messages()
            succeeded()
            async for message in messages:
                if message is None:
                    succeeded()
                else:
                    self._hear(message)

    async def beat(self) -> None:
        """Send heartbeats until cancelled. They go on at the same pace if the database does not answer."""
        while True:
            try:
                await self._beat()
            except StorageError as error:
                self._reached_since = None
                self._supervisor.failed("heartbeats", error)
            else:
                self._supervisor.succeeded("heartbeats")
            await anyio.sleep(self._claim_s / BEATS)

    async def tell(self) -> None:
        """Tell the progress of the jobs of this replica until cancelled."""
        told = dict[str, JobProgress]()
        while True:
            await anyio.sleep(_TELL_S)
            running = self._runner.running
            changed = {id: job.progress for id, job in running.items() if job.progress != told.get(id, JobProgress())}
            told = {id: progress for id, progress in told.items() if id in running} | changed
            for id, progress in changed.items():
                message = json.dumps({"id": id, "done": progress.done, "total": progress.total})
                with suppress(StorageError):  # a heartbeat fails then, too
                    await self._runner.write(self._runner.storage.store.database.tell, message)

    async def check_files(self, succeeded: Callable[[], object]) -> None:
        """Look from time to time if files can be read, until cancelled; call `succeeded` after each time."""
        while True:
            await self._runner.read(self._runner.storage.files.check)
            succeeded()
            await anyio.sleep(_CHECK_S)

    async def _beat(self) -> None:
        runner, storage = self._runner, self._runner.storage
        for id, job in [*runner.running.items()]:
            if not await runner.write(storage.store.extend, id, job.claim, job.progress):
                job.cancellation.cancel()  # it was deleted, or given to another replica
        await runner.read(storage.store.count_backlog)
        now = current_time()
        if self._reached_since is None:
            self._reached_since = now
        # After a time without database, living replicas get as long to send their heartbeats as dead ones.
        if now - self._reached_since >= self._claim_s:
            await runner.write(storage.recover, frozenset(runner.running))
        runner.added()

    def _hear(self, message: str) -> None:
        with suppress(ValueError, KeyError, TypeError):  # another program may send anything
            told = json.loads(message)
            if "state" in told:
                self._runner.changed_elsewhere(str(told["id"]), told["state"], int(told["claim"]))
            else:
                self._runner.progressed_elsewhere(str(told["id"]), JobProgress(done=told["done"], total=told["total"]))
