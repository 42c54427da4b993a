"""The runner of queued jobs. Jobs share the engine with requests, at a lower priority."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from upconv.runtime import UpscaleOptions, Upscaler, codecs, memory, process
from upconv.runtime.errors import Cancelled
from upconv.runtime.peak_memory import peak_bytes
from upconv.runtime.processing import predict_passes, result_format
from upconv.runtime.schedule import Priority
from upconv.service.errors import TooLongError
from upconv.service.jobs import retries
from upconv.service.jobs.folder import JobFolder
from upconv.service.jobs.job import Job, JobProgress
from upconv.service.jobs.leases import Leases
from upconv.service.jobs.running_job import ProgressUpdater, RunningJob
from upconv.service.registry import Registry
from upconv.service.response_headers import of_result
from upconv.service.settings import Settings
from upconv.service.supervisor import Supervisor

T = TypeVar("T")

_LONGEST_WAIT_S = 30.0
"""Seconds after which the queue is read again without a new job."""
_CALLS = 32
_HURRY_S = 0.2


@dataclass(frozen=True)
class RunnerContext:
    """The objects of the app that a runner uses."""

    settings: Settings
    models: Callable[[], Registry]
    supervisor: Supervisor
    log: Any
    ended: Callable[[str], object]
    """Called with the state of each job that ended."""


class JobRunner:
    """Claims queued jobs and computes them. It belongs to one event loop, in which `run` runs."""

    def __init__(self, folder: JobFolder, context: RunnerContext) -> None:
        self.folder = folder
        self.leases = Leases()
        self._context, self._settings = context, context.settings
        self._running: dict[str, RunningJob] = {}
        self._available = anyio.Event()
        self._changed: dict[str, anyio.Event] = {}
        self._slots = anyio.Semaphore(self._settings.job_workers)
        self._threads = anyio.CapacityLimiter(self._settings.job_workers)
        self._writes, self._reads = anyio.CapacityLimiter(_CALLS), anyio.CapacityLimiter(_CALLS)

    @property
    def root_path(self) -> str:
        """The path under which the links of jobs are."""
        return self._settings.root_path

    @property
    def waiting(self) -> int:
        """The number of jobs that are queued or running."""
        return self.folder.store.backlog.jobs

    @property
    def oldest_s(self) -> float:
        """The seconds since the oldest of them was accepted; 0 without any."""
        oldest = self.folder.store.backlog.oldest
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    async def run(self) -> None:
        """Compute jobs until cancelled; running jobs are then queued again."""
        async with anyio.create_task_group() as tasks:
            await self._context.supervisor.run("jobs", partial(self._dispatch, tasks))

    def stop(self) -> None:
        """Cancel all running jobs. Call this before `run` is cancelled."""
        self.folder.store.database.patience_s = _HURRY_S
        for running in self._running.values():
            running.cancellation.cancel()

    def added(self) -> None:
        """Look at the queue after a job was stored."""
        self._available.set()
        self._available = anyio.Event()

    def progress(self, id: str) -> JobProgress:
        """Return the progress of a job; zero tiles if the job is not running."""
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

    async def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Run a query of the store in a thread. Queries never wait for writes."""
        return await to_thread.run_sync(query, *arguments, limiter=self._reads)

    async def write(self, change: Callable[..., T], *arguments: Any) -> T:
        """Run a change of the store or of files in a thread."""
        return await to_thread.run_sync(change, *arguments, limiter=self._writes)

    async def delete(self, id: str) -> None:
        """Delete a job, its picture and its result; a running job stops at the next node of the graph."""
        if id in self._running:
            self._running[id].cancellation.cancel()
        await self.write(self._remove, id)
        self.notify(id)

    def _remove(self, id: str) -> None:
        self.folder.store.delete(id)
        self.folder.remove(id)

    async def _dispatch(self, tasks: TaskGroup) -> None:
        """Claim jobs and start them, as many at once as allowed."""
        await self.write(self.folder.recover, frozenset(self._running))
        while True:
            await self._slots.acquire()
            available = self._available
            try:
                with anyio.CancelScope(shield=True):  # a claimed job must not be forgotten
                    job = await self.write(self.folder.store.claim)
            except BaseException:
                self._slots.release()
                raise
            self._context.supervisor.succeeded("jobs")
            if job is not None:
                self._running[job.id] = RunningJob()
                tasks.start_soon(self._do, job)
                continue
            self._slots.release()
            due = await self.read(self.folder.store.next_due)
            with anyio.move_on_after(_LONGEST_WAIT_S if due is None else min(max(due - time.time(), 0.05), _LONGEST_WAIT_S)):
                await available.wait()

    async def _do(self, job: Job) -> None:
        try:
            await self._context.supervisor.run("job", partial(self._work, job))
        finally:
            del self._running[job.id]
            self._slots.release()
            self.notify(job.id)

    async def _work(self, job: Job) -> None:
        """Compute a job and store what became of it, with as many attempts as the database needs."""
        started, running = time.perf_counter(), RunningJob()
        self._running[job.id] = running
        self.notify(job.id)
        ended = await self._outcome(job, running)
        await self._context.supervisor.run("results", partial(self._settle, ended))
        if ended.over:
            self._context.ended(ended.state)
        ms = round((time.perf_counter() - started) * 1000, 1)
        self._context.log.info("job", job=job.id, state=ended.state, ms=ms, **_reason(ended))

    async def _outcome(self, job: Job, running: RunningJob) -> Job:
        """Compute a job. Return it as it is afterwards: done, failed, or queued again."""
        timer = asyncio.get_running_loop().call_later(self._settings.job_timeout_s, running.expire)
        try:
            retries.check_attempts(job)
            return await self._compute(job, running)
        except (Cancelled, asyncio.CancelledError) as error:
            if running.late:
                return self._failed(job, running, self._too_long())
            if isinstance(error, Cancelled):
                return retries.put_back(job)
            with anyio.CancelScope(shield=True):
                await self._settle(retries.put_back(job))
            raise
        except Exception as error:
            return self._failed(job, running, error)
        finally:
            timer.cancel()

    async def _compute(self, job: Job, running: RunningJob) -> Job:
        loop = asyncio.get_running_loop()
        on_tile = ProgressUpdater(running, partial(loop.call_soon_threadsafe, self.notify, job.id))
        entry, upscaler = self._context.models().upscaling(job.order.model)
        with entry.in_use():
            work = partial(self._upscale, job, upscaler, running, on_tile)
            return await to_thread.run_sync(work, limiter=self._threads)

    def _upscale(self, job: Job, upscaler: Upscaler, running: RunningJob, on_tile: ProgressUpdater) -> Job:
        picture, options = self.folder.picture(job.id).read_bytes(), job.order.options(self._settings.limits)
        memory.expect_room(_peak_bytes(picture, upscaler, options))
        result = process(
            picture, upscaler, options, cancellation=running.cancellation, on_tile=on_tile, priority=Priority.BACKGROUND
        )
        etag = f'"{hashlib.sha256(result.data).hexdigest()}"'
        headers = {**of_result(result, upscaler.model), "ETag": etag}
        self.folder.write(self.folder.result(job.id), result.data)
        return self._ended(replace(job, state="done", bytes_out=len(result.data), result=headers, error=None))

    def _failed(self, job: Job, running: RunningJob, error: Exception) -> Job:
        after = retries.after_error(job, error, self._settings.job_ttl_s)
        if retries.is_unexpected(error):
            self._context.log.error("job", job=job.id, exc_info=error)
        if after.state != "failed":
            return after
        return self._ended(replace(after, tiles_done=running.progress.done, tiles=running.progress.total))

    def _too_long(self) -> TooLongError:
        return TooLongError(
            f"the job took longer than the {self._settings.job_timeout_s:g} s that the service allows; choose a smaller scale"
        )

    def _ended(self, job: Job) -> Job:
        now = time.time()
        return replace(
            job,
            finished=now,
            expires=now + self._settings.job_ttl_s,
            webhook_due=now if job.webhook else None,
            webhook_tries=0,
            upload_due=now if job.result_url and job.state == "done" else None,
        )

    async def _settle(self, job: Job) -> None:
        with anyio.CancelScope(shield=True):
            await self.write(self._store, job)

    def _store(self, job: Job) -> None:
        if not self.folder.store.settle(job):
            self.folder.remove(job.id)
        elif job.state == "done":
            self.folder.picture(job.id).unlink(missing_ok=True)


def _peak_bytes(picture: bytes, upscaler: Upscaler, options: UpscaleOptions) -> int:
    result = result_format(codecs.sniff(picture) or "", options)
    return peak_bytes(predict_passes(picture, upscaler, options), result, options.lossless)


def _reason(job: Job) -> dict[str, str]:
    return {"error": job.error["detail"]} if job.error else {}
