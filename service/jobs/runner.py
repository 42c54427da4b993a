"""The runner of queued jobs. Jobs share the engine with requests, at a lower priority."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
from anyio import to_thread

from upconv.runtime import Upscaler, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ParameterError, UpconvError
from upconv.runtime.schedule import Priority
from upconv.service import problem
from upconv.service.errors import UNEXPECTED, problem_kind
from upconv.service.jobs.folder import JobFolder
from upconv.service.jobs.job import Job, JobProgress
from upconv.service.registry import Registry
from upconv.service.response_headers import of_result
from upconv.service.settings import Settings

MAX_ATTEMPTS = 3

_SWEEP_S = 30.0


@dataclass
class _Running:
    """A job that is being computed."""

    cancellation: Cancellation = field(default_factory=Cancellation)
    progress: JobProgress = field(default_factory=JobProgress)


class JobRunner:
    """Claims queued jobs and computes them. It belongs to one event loop, in which `run` runs."""

    def __init__(
        self, folder: JobFolder, settings: Settings, models: Callable[[], Registry], log: Any, ended: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self._settings, self._models, self._log, self._ended = settings, models, log, ended
        self._running: dict[str, _Running] = {}
        self._stopping = False
        self._available = anyio.Event()
        self._changed: dict[str, anyio.Event] = {}
        self._threads = anyio.CapacityLimiter(settings.job_workers)

    @property
    def root_path(self) -> str:
        """The path under which the links of jobs are."""
        return self._settings.root_path

    @property
    def waiting(self) -> int:
        """The number of jobs that are queued or running."""
        return self.folder.store.waiting()

    async def run(self) -> None:
        """Compute jobs until cancelled; running jobs are then queued again."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self._settings.job_workers):
                tasks.start_soon(self._work)
            tasks.start_soon(self._sweep)

    def added(self) -> None:
        """Wake the workers after a new job was stored."""
        self._available.set()
        self._available = anyio.Event()

    def progress(self, id: str) -> JobProgress:
        """Return the progress of a job; zero tiles if the job is not running. `job_status` completes that of a job that is done."""
        running = self._running.get(id)
        return running.progress if running else JobProgress()

    def change(self, id: str) -> anyio.Event:
        """Return an event that is set at the next change of this job."""
        return self._changed.setdefault(id, anyio.Event())

    def notify(self, id: str) -> None:
        """Set the event of a changed job."""
        event = self._changed.pop(id, None)
        if event is not None:
            event.set()

    async def delete(self, id: str) -> None:
        """Delete a job, its picture and its result; a running job stops at the next node of the graph."""
        if id in self._running:
            self._running[id].cancellation.cancel()
        await to_thread.run_sync(self._remove, id)
        self.notify(id)

    def _remove(self, id: str) -> None:
        self.folder.store.delete(id)
        self.folder.remove(id)

    async def _work(self) -> None:
        while not self._stopping:
            available = self._available
            job = await to_thread.run_sync(self.folder.store.claim)
            if job is None:
                await available.wait()
            else:
                await self._do(job)

    def stop(self) -> None:
        """Cancel all running jobs. Call this before `run` is cancelled."""
        self._stopping = True
        for running in self._running.values():
            running.cancellation.cancel()

    async def _do(self, job: Job) -> None:
        running = self._running[job.id] = _Running()
        self.notify(job.id)
        loop = asyncio.get_running_loop()
        on_tile = _ProgressUpdater(running, partial(loop.call_soon_threadsafe, self.notify, job.id))
        try:
            await self._attempt(job, running, on_tile)
        except Cancelled:
            await self._put_back(job)
        except asyncio.CancelledError:
            await self._put_back(job)
            raise
        finally:
            del self._running[job.id]
            self.notify(job.id)

    async def _put_back(self, job: Job) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self.folder.put_back, job.id)

    async def _attempt(self, job: Job, running: _Running, on_tile: _ProgressUpdater) -> None:
        started = time.perf_counter()
        try:
            entry, upscaler = self._models().upscaling(job.order.model)
            with entry.in_use():
                ended = await to_thread.run_sync(self._compute, job, upscaler, running, on_tile, limiter=self._threads)
        except Cancelled:
            raise
        except Exception as error:
            ended = self._failed(job, error)
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._finish, ended)
        self._ended(ended.state)
        self._log.info("job", job=job.id, state=ended.state, ms=round((time.perf_counter() - started) * 1000, 1))

    def _compute(self, job: Job, upscaler: Upscaler, running: _Running, on_tile: _ProgressUpdater) -> Job:
        if job.attempts > MAX_ATTEMPTS:
            raise ParameterError(
                f"the service crashed {MAX_ATTEMPTS} times while it computed this picture, so it is not tried again"
            )
        picture, options = self.folder.picture(job.id).read_bytes(), job.order.options(self._settings.limits)
        result = process(
            picture, upscaler, options, cancellation=running.cancellation, on_tile=on_tile, priority=Priority.BACKGROUND
        )
        etag = f'"{hashlib.sha256(result.data).hexdigest()}"'
        headers = {**of_result(result, upscaler.model), "ETag": etag}
        self.folder.write(self.folder.result(job.id), result.data)
        return replace(job, state="done", bytes_out=len(result.data), result=headers)

    def _failed(self, job: Job, error: Exception) -> Job:
        kind = problem_kind(error)
        if kind is UNEXPECTED or kind.status == UNEXPECTED.status:
            self._log.error("job", job=job.id, exc_info=error)
        known = isinstance(error, UpconvError) and kind.status != UNEXPECTED.status
        detail = (
            str(error) if known else "the service failed to compute this job; its log has the cause, under the id of the job"
        )
        return replace(job, state="failed", error=problem.describe(kind, detail).model_dump())

    def _finish(self, job: Job) -> None:
        now = time.time()
        if not self.folder.store.finish(replace(job, finished=now, expires=now + self._settings.job_ttl_s)):
            self.folder.remove(job.id)
            return
        self.folder.picture(job.id).unlink(missing_ok=True)

    async def _sweep(self) -> None:
        while True:
            for job in await to_thread.run_sync(self.folder.store.expired, time.time()):
                await self.delete(job.id)
            await anyio.sleep(min(_SWEEP_S, self._settings.job_ttl_s))


class _ProgressUpdater:
    """Receives every tile from the engine's threads, and calls `notify` at most ten times a second."""

    def __init__(self, running: _Running, notify: Callable[[], object]) -> None:
        self._running, self._notify = running, notify
        self._notified_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        self._running.progress = JobProgress(done=done, total=total)
        now = time.monotonic()
        if done == total or now - self._notified_at > 0.1:
            self._notified_at = now
            self._notify()
