"""Processing of many files, several at a time.

While one picture is decoded or encoded, the engine computes another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import DiskFullError, ImageError, MachineError, OutputError
from upconv.runtime.folders.file_task import FileResult, process_file
from upconv.runtime.folders.journal import Journal
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.upscaler import Upscaler


def process_folder(
    jobs: Iterable[FileTask],
    upscaler: Upscaler,
    options: UpscaleOptions,
    journal: Journal | None = None,
    *,
    overwrite: bool = False,
    in_flight: int | None = None,
) -> Iterator[FileResult]:
    """Process the files and yield their results, in the order in which they complete.

    With a journal, results that are done are skipped, and destinations that hold files of others fail, unless `overwrite`
    is set. A picture that fails does not stop the others; a full disk does. At most `in_flight` pictures are in memory:
    by default one per core, but at least 2. Closing the iterator cancels the running pictures.
    """
    cancellation = Cancellation()
    waiting = iter(jobs)
    at_once = in_flight or max(2, available_cores())

    def process_one(job: FileTask) -> FileResult:
        return _unless_done(job, upscaler, options, cancellation, journal, overwrite)

    pool = ThreadPoolExecutor(at_once, "upconv-picture")
    try:
        working = {pool.submit(process_one, job) for job in islice(waiting, at_once)}
        while working:
            ended, working = wait(working, return_when=FIRST_COMPLETED)
            outcomes = [future.result() for future in ended]
            full = any(outcome.fatal for outcome in outcomes)
            working |= {pool.submit(process_one, job) for job in islice(waiting, 0 if full else len(ended))}
            yield from outcomes
            if full:
                yield from _left(working, waiting)
                return
    finally:
        cancellation.cancel()
        pool.shutdown(cancel_futures=True)


def _unless_done(
    job: FileTask,
    upscaler: Upscaler,
    options: UpscaleOptions,
    cancellation: Cancellation,
    journal: Journal | None,
    overwrite: bool,
) -> FileResult:
    """Return the earlier result if the journal has one, and process the file otherwise."""
    if journal is None:
        return process_file(job, upscaler, options, cancellation)
    if not overwrite:
        if (before := journal.done(job)) is not None:
            return before
        if journal.is_foreign(job):
            return FileResult(
                job, "failed", error=f"{job.destination} exists and is not a result of upconv; --overwrite replaces it"
            )
    try:
        journal.begin(job)
        outcome = process_file(job, upscaler, options, cancellation)
        if outcome.status == "done":
            journal.end(outcome)
        return outcome
    except (ImageError, OutputError, MachineError) as error:
        return FileResult(job, "failed", error=str(error), fatal=isinstance(error, DiskFullError))


def _left(working: set[Future[FileResult]], waiting: Iterator[FileTask]) -> Iterator[FileResult]:
    yield from (future.result() for future in wait(working).done)
    for job in waiting:
        yield FileResult(job, "left", error=f"{job.source} was not tried, because no result can be written")
