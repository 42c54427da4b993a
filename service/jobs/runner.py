"""The runner of queued jobs. Jobs share the engine with requests, at a lower priority."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from upconv.runtime import UpscaleOptions, codecs, memory, process
from upconv.runtime.errors import Cancelled
from upconv.runtime.peak_memory import peak_bytes
from upconv.runtime.processing import PassPlanner, predict_passes, result_format
from upconv.runtime.schedule import Priority
from upconv.service.errors import StorageError, TooLongError
from upconv.service.jobs import retries
from upconv.service.jobs.job import Job, JobProgress
from upconv.service.jobs.job_files import picture_name, result_name
from upconv.service.jobs.leases import Leases
from upconv.service.jobs.running_job import ProgressUpdater, RunningJob
from upconv.service.jobs.storage import JobStorage
from upconv.service.registry import Registry, UpscalingModels
from upconv.service.response_headers import of_result
from upconv.service.settings import Settings
from upconv.service.supervisor import Supervisor

T = TypeVar("T")

_LONGEST_WAIT_S = 30.0
"""Seconds after which the queue is read again without a new job."""
_SLACK_S = 10.0
"""Seconds for which a lease lasts longer if replicas must hear of signs of life."""
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

    def __init__(self, storage: JobStorage, context: RunnerContext) -> None:
        self.storage = storage
        self.leases = Leases(slack_s=_SLACK_S if storage.store.shared else 0.0)
        self._context, self._settings = context, context.settings
        self.running: dict[str, RunningJob] = {}
        """The jobs that this process computes, by id."""
        self._elsewhere: dict[str, JobProgress] = {}
        """The progress of jobs that other replicas compute."""
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
        return self.storage.store.backlog.jobs

    @property
    def oldest_s(self) -> float:
        """The seconds since the oldest of them was accepted; 0 without any."""
        oldest = self.storage.store.backlog.oldest
        return 0.0 if oldest is None else max(0.0, self.storage.store.now() - oldest)

    async def run(self) -> None:
        """Compute jobs until cancelled; running jobs are then queued again."""
        async with anyio.create_task_group() as tasks:
            await self._context.supervisor.run("jobs", partial(self._dispatch, tasks))

    def stop(self) -> None:
        """Cancel all running jobs. Call this before `run` is cancelled."""
        self.storage.store.database.patience_s = _HURRY_S
        for running in self.running.values():
            running.cancellation.cancel()

    def added(self) -> None:
        """Look at the queue after a job was stored."""
        self._available.set()
        self._available = anyio.Event()

    def progress(self, job: Job) -> JobProgress:
        """Return the progress of a job; zero tiles if the job is not running."""
        running = self.running.get(job.id)
        if running is not None and running.claim == job.claim:
            return running.progress
        if job.state != "running":
            return JobProgress()
        return self._elsewhere.get(job.id, JobProgress(done=job.tiles_done, total=job.tiles))

    def change(self, id: str) -> anyio.Event:
        """Return an event that is set at the next change of this job."""
        return self._changed.setdefault(id, anyio.Event())

    def notify(self, id: str) -> None:
        """Set the event of a changed job."""
        event = self._changed.pop(id, None)
        if event is not None:
            event.set()

    def changed_elsewhere(self, id: str, state: str, claim: int) -> None:
        """Note that a replica changed a job: it has this state and this number of starts."""
        if state == "queued":
            self.added()
        running = self.running.get(id)
        if running is not None and (state == "deleted" or claim > running.claim):
            running.cancellation.cancel()
        self._elsewhere.pop(id, None)
        self.notify(id)

    def progressed_elsewhere(self, id: str, progress: JobProgress) -> None:
        """Note the progress of a job that a replica computes."""
        if id not in self.running:
            self._elsewhere[id] = progress
            self.notify(id)

    def missed_messages(self) -> None:
        """Look at everything again, because messages of other replicas were lost."""
        self._elsewhere.clear()
        self.added()
        for id in [*self._changed]:
            self.notify(id)

    async def renew(self, job: Job) -> None:
        """Note a sign of life of the client of a job, and tell other replicas of it from time to time."""
        if self.leases.renew(job) and self.storage.store.shared:
            with suppress(StorageError):
                await self.write(self.storage.store.renew, job.id)

    async def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Run a query of the store in a thread. Queries never wait for writes."""
        return await to_thread.run_sync(query, *arguments, limiter=self._reads)

    async def write(self, change: Callable[..., T], *arguments: Any) -> T:
        """Run a change of the store or of files in a thread."""
        return await to_thread.run_sync(change, *arguments, limiter=self._writes)

    async def delete(self, id: str) -> None:
        """Delete a job, its picture and its result; a running job stops at the next node of the graph."""
        if id in self.running:
            self.running[id].cancellation.cancel()
        await self.write(self._remove, id)
        self.notify(id)

    def _remove(self, id: str) -> None:
        deleted = self.storage.store.delete(id)
        if deleted is not None:
            with suppress(StorageError):  # files that cannot be deleted now are strays later
                self.storage.remove_files(deleted)

    async def _dispatch(self, tasks: TaskGroup) -> None:
        """Claim jobs and start them, as many at once as allowed."""
        if not self.storage.store.shared:
            await self.write(self.storage.recover, frozenset(self.running))
        while True:
            await self._slots.acquire()
            available = self._available
            try:
                with anyio.CancelScope(shield=True):  # a claimed job must not be forgotten
                    job = await self.write(self.storage.store.claim)
            except BaseException:
                self._slots.release()
                raise
            self._context.supervisor.succeeded("jobs")
            if job is not None:
                self.running[job.id] = RunningJob(job.claim)
                tasks.start_soon(self._do, job)
                continue
            self._slots.release()
            due = await self.read(self.storage.store.next_due)
            with anyio.move_on_after(
                _LONGEST_WAIT_S if due is None else min(max(due - self.storage.store.now(), 0.05), _LONGEST_WAIT_S)
            ):
                await available.wait()

    async def _do(self, job: Job) -> None:
        try:
            await self._context.supervisor.run("job", partial(self._work, job))
        finally:
            held = self.running.get(job.id)
            if held is not None and held.claim == job.claim:  # another start of the job may have begun
                del self.running[job.id]
            self._slots.release()
            self.notify(job.id)

    async def _work(self, job: Job) -> None:
        """Compute a job and store what became of it, with as many attempts as the database needs."""
        started, running = time.perf_counter(), RunningJob(job.claim)
        self.running[job.id] = running
        self.notify(job.id)
        ended, taken = await self._outcome(job, running), list[bool]()

        async def settle() -> None:
            taken.append(await self._settle(ended))

        await self._context.supervisor.run("results", settle)
        ms = round((time.perf_counter() - started) * 1000, 1)
        if not taken[-1]:
            self._context.log.info("job", job=job.id, state="gone", ms=ms)
            return
        if ended.over:
            self._context.ended(ended.state)
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
        with self._context.models().upscaling_models(job.order.model).in_use() as models:
            work = partial(self._upscale, job, models, running, on_tile)
            return await to_thread.run_sync(work, limiter=self._threads)

    def _upscale(self, job: Job, models: UpscalingModels, running: RunningJob, on_tile: ProgressUpdater) -> Job:
        picture, options = self.storage.files.read(picture_name(job.id)), job.order.options(self._settings.limits)
        memory.expect_room(_peak_bytes(picture, models.upscaler, options))
        result = process(
            picture, models.upscaler, options, cancellation=running.cancellation, on_tile=on_tile, priority=Priority.BACKGROUND
        )
        etag = f'"{hashlib.sha256(result.data).hexdigest()}"'
        headers = {**of_result(result, models.chosen(result.choice)), "ETag": etag}
        self.storage.files.write(result_name(job), result.data)
        return self._ended(replace(job, state="done", bytes_out=len(result.data), result=headers, error=None))

    def _failed(self, job: Job, running: RunningJob, error: Exception) -> Job:
        after = retries.after_error(job, error, self._settings.job_ttl_s, self.storage.store.now())
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
        now = self.storage.store.now()
        return replace(
            job,
            finished=now,
            expires=now + self._settings.job_ttl_s,
            webhook_due=now if job.webhook else None,
            webhook_tries=0,
            upload_due=now if job.result_url and job.state == "done" else None,
        )

    async def _settle(self, job: Job) -> bool:
        with anyio.CancelScope(shield=True):
            taken = await self.write(self.storage.settle, job)
        return taken  # noqa: RET504, mypy takes a scope for one that may swallow errors


def _peak_bytes(picture: bytes, upscaler: PassPlanner, options: UpscaleOptions) -> int:
    result = result_format(codecs.sniff(picture) or "", options)
    return peak_bytes(predict_passes(picture, upscaler, options), result, options.lossless)


def _reason(job: Job) -> dict[str, str]:
    return {"error": job.error["detail"]} if job.error else {}
