"""The actor of Ray that upscales pictures from file to file. It opens the model once."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from upconv.runtime.auto_upscaler import open_upscaler
from upconv.runtime.buckets import Place
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.folders import FileResult, process_folder
from upconv.runtime.folders.file_task import process_file
from upconv.runtime.folders.journals import AnyJournal, open_journal
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.folders.worker_order import WorkerOrder

AT_ONCE = 2
"""The pictures that an actor has in work: while one is decoded or encoded, the engine computes the other."""


@dataclass(frozen=True)
class ActorOrder:
    """The work of every actor."""

    work: WorkerOrder
    """The model and the options."""
    folder: Place | None = None
    """The folder of the results, which has a journal; `None` for results without one."""
    overwrite: bool = False
    """True to replace results that exist."""


class PictureActor:
    """A model and the journal of the output folder. Ray makes one in each process, and makes it again if the process ends."""

    def __init__(self, order: ActorOrder) -> None:
        work = order.work
        self._order = order
        self._upscaler = open_upscaler(work.model, provider=work.provider, workers=1, exact=work.exact, unproved=work.unproved)
        self._journal: AnyJournal | None = None
        if order.folder is not None:
            self._journal = open_journal(order.folder, self._upscaler.identity, work.options)

    def __call__(self, batch: Mapping[str, Sequence[bytes]]) -> dict[str, list[bytes]]:
        """Return the pickled `FileResult`s of a batch of pickled `FileTask`s, in any order.

        A batch that Ray gives out again, because a process ended, is continued: the journal knows what is done.
        """
        tasks = [pickle.loads(task) for task in batch["task"]]  # noqa: S301, from upconv itself
        outcomes = process_folder(
            tasks,
            self._upscaler,
            self._order.work.options,
            self._journal,
            overwrite=self._order.overwrite,
            in_flight=AT_ONCE,
            work=self._process,
        )
        return {"result": [pickle.dumps(outcome) for outcome in outcomes]}

    def _process(self, task: FileTask, cancellation: Cancellation) -> FileResult:
        work = self._order.work
        return process_file(task, self._upscaler, work.options, cancellation, keep_time=work.keep_time)
