"""Processing of many files, several at a time, which other processes and machines may share.

While one picture is decoded or encoded, the engine computes another.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs.files import output_error
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import DiskFullError, ImageError, MachineError, OutputError
from upconv.runtime.folders.claims import Claim, Claims
from upconv.runtime.folders.file_task import FileResult, process_file
from upconv.runtime.folders.journals import AnyJournal
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.processing import UpscalerSource

POLL_S = 0.2
"""Seconds between two looks at pictures that another process works on."""

Work = Callable[[FileTask, Cancellation], FileResult]
"""Processes one file. Raises `Cancelled` soon after the cancellation."""


def process_folder(
    jobs: Iterable[FileTask],
    upscaler: UpscalerSource,
    options: UpscaleOptions,
    journal: AnyJournal | None = None,
    *,
    overwrite: bool = False,
    in_flight: int | None = None,
    work: Work | None = None,
) -> Iterator[FileResult]:
    """Process the files and yield their results, in the order in which they complete.

    With a journal, results that are done are skipped, and destinations that hold files of others fail, unless `overwrite`
    is set. Several processes that have a journal of one folder share the work: each picture is computed by one of them, and
    the others report it as skipped. A picture that fails does not stop the others; a full disk does. At most `in_flight`
    pictures are in memory: by default one per core, but at least 2. `work` processes a file in place of `upscaler`.
    Closing the iterator cancels the running pictures.
    """
    at_once = in_flight or max(2, available_cores())
    claims = None if journal is None else Claims(journal.folder)
    own = work or (lambda job, cancellation: process_file(job, upscaler, options, cancellation))
    run = _FolderRun(iter(jobs), own, journal, claims, overwrite, at_once)
    try:
        yield from run.results()
    finally:
        run.cancellation.cancel()
        run.pool.shutdown(cancel_futures=True)
        if claims is not None:
            claims.close()


@dataclass
class _FolderRun:
    """One run over many files."""

    waiting: Iterator[FileTask]
    work: Work
    journal: AnyJournal | None
    claims: Claims | None
    overwrite: bool
    at_once: int
    cancellation: Cancellation = field(default_factory=Cancellation)
    held: deque[FileTask] = field(default_factory=deque)
    """Pictures that another process works on."""

    def __post_init__(self) -> None:
        self.pool = ThreadPoolExecutor(self.at_once, "upconv-picture")
        self._working: dict[Future[FileResult | None], FileTask] = {}
        self._looked = 0.0

    def results(self) -> Iterator[FileResult]:
        """Yield the results of all files."""
        while True:
            yield from self._start()
            if not self._working and not self.held:
                return
            outcomes = list(self._ended())
            full = any(outcome.fatal for outcome in outcomes)
            if full:
                yield from outcomes
                yield from self._left()
                return
            yield from self._start()  # before the caller takes its time with the outcomes
            yield from outcomes

    def _start(self) -> Iterator[FileResult]:
        """Start as many pictures as may be in work, and yield the results of those that need none."""
        while len(self._working) < self.at_once and (job := self._next()) is not None:
            result = self._before(job)
            if result is not None:
                yield result
            else:
                self._working[self.pool.submit(self._process, job)] = job

    def _next(self) -> FileTask | None:
        job = next(self.waiting, None)
        if job is None and self.held and time.monotonic() - self._looked > POLL_S / max(1, len(self.held)):
            self._looked = time.monotonic()
            job = self.held.popleft()
        return job

    def _ended(self) -> Iterator[FileResult]:
        """Wait for pictures to end, or for the next look at those of other processes, and yield the results."""
        ended, _ = wait(self._working, timeout=POLL_S if self.held else None, return_when=FIRST_COMPLETED)
        if not self._working:
            time.sleep(POLL_S / max(1, len(self.held)))
        for future in ended:
            job, outcome = self._working.pop(future), future.result()
            if outcome is None:
                self.held.append(job)
            else:
                yield outcome

    def _before(self, job: FileTask) -> FileResult | None:
        """Return the result of a picture that is refused, or that an earlier run has done."""
        if job.refusal is not None:
            return FileResult(job, "failed", error=job.refusal)
        return None if self.journal is None or self.overwrite or not self.journal.quick else self.journal.done(job)

    def _process(self, job: FileTask) -> FileResult | None:
        """Return the result of a picture; `None` if another process works on it."""
        if self.journal is None or self.claims is None:
            return self.work(job, self.cancellation)
        try:
            before = self._done_slowly(self.journal, job)
            if before is not None:
                return before
            claim = self._claim(self.claims, self.journal, job)
            if claim is None:
                return None
            try:
                return self._claimed(self.journal, job)
            finally:
                self.claims.release(claim)
        except (ImageError, OutputError, MachineError) as error:
            return FileResult(job, "failed", error=str(error), fatal=isinstance(error, DiskFullError))

    def _done_slowly(self, journal: AnyJournal, job: FileTask) -> FileResult | None:
        """Return the earlier result of a picture, if to ask for it takes too long to do so for one after another."""
        return journal.done(job) if not self.overwrite and not journal.quick and journal.may_be_done(job) else None

    def _claim(self, claims: Claims, journal: AnyJournal, job: FileTask) -> Claim | None:
        try:
            return claims.take(journal.name(job))
        except OSError as error:
            raise output_error(job.destination, error) from error

    def _claimed(self, journal: AnyJournal, job: FileTask) -> FileResult:
        """Return the result that another process has recorded meanwhile, or process the picture."""
        journal.refresh()
        if (before := journal.done(job, this_run=self.overwrite)) is not None:
            return before
        if not self.overwrite and journal.is_foreign(job):
            sentence = f"{job.destination} exists and is not a result of upconv; --overwrite replaces it"
            return FileResult(job, "failed", error=sentence)
        begun = journal.begin(job)
        try:
            outcome = self.work(begun, self.cancellation)
            if outcome.status == "done":
                journal.end(outcome)
            return outcome
        finally:
            journal.abandon(job)

    def _left(self) -> Iterator[FileResult]:
        for future in wait(self._working).done:
            job = self._working[future]
            yield future.result() or _not_tried(job)
        for job in (*self.held, *self.waiting):
            yield _not_tried(job)


def _not_tried(job: FileTask) -> FileResult:
    return FileResult(job, "left", error=f"{job.source} was not tried, because no result can be computed or written")
