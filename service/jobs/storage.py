"""The storage of jobs: the store that describes them, and their files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import JobFiles, picture_name, result_name
from upconv.service.jobs.retries import after_crash
from upconv.service.jobs.store import JobStore
from upconv.service.shared_rates import RateStore


@dataclass(frozen=True)
class JobStorage:
    """The store of jobs and their files."""

    store: JobStore
    files: JobFiles
    lasting: bool = True
    """False if the jobs are lost when the process ends."""
    rates: RateStore | None = None
    """The request rates that replicas share; `None` if each process counts alone."""

    def remove_files(self, job: Job) -> None:
        """Delete the picture and the result of a job."""
        self.files.remove(picture_name(job.id), result_name(job))

    def settle(self, job: Job) -> bool:
        """Store what became of a running job, and delete the files that it needs no longer.

        Return false if it was deleted, or given to another replica in the meantime.
        """
        if self.store.settle(job):
            if job.state == "done":
                self.files.remove(picture_name(job.id))
            return True
        if self.store.get(job.id) is None:
            self.remove_files(job)
        else:
            self.files.remove(result_name(job))
        return False

    def recover(self, active: Collection[str] = ()) -> None:
        """Queue the jobs whose process ended.

        If only this process uses the store, these are all jobs that are marked as running but not `active`. Otherwise they are
        those of replicas that were silent for too long.
        """
        now, store = self.store.now(), self.store
        for job in store.lapsed() if store.shared else store.running():
            if job.id not in active:
                after = after_crash(job, now)
                _ = store.give_back(after) if store.shared else store.settle(after)

    def remove_strays(self, age_s: float) -> None:
        """Delete files without a job that are older than `age_s` seconds. Younger ones may belong to a job in the making."""
        self.files.remove_strays(self.store.ids(), age_s)
