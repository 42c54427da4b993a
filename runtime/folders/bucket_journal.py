"""The journal of an output folder in a bucket: each result carries its own record, in the metadata of the object.

So a result and its record exist together or not at all, and a run that is killed leaves nothing to repair. An object without a
record is one of others, and is not replaced.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from upconv.runtime.buckets import BucketPath, ObjectState
from upconv.runtime.errors import ImageError, OutputError
from upconv.runtime.folders import places
from upconv.runtime.folders.file_task import FileResult
from upconv.runtime.folders.fingerprint import fingerprint
from upconv.runtime.folders.result_record import parsed
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.model_choice import ModelChoice
from upconv.runtime.options import UpscaleOptions


class BucketJournal:
    """The records of one output folder in a bucket. Any number of threads, processes and machines may use it."""

    quick = False
    """True if `done` asks nobody, so that it may be called for one picture after another."""

    def __init__(self, folder: BucketPath, model_sha256: str, options: UpscaleOptions) -> None:
        """List the results in `folder`. A result of another model or other options is not done.

        Raises `OutputError` if the bucket does not exist or cannot be listed.
        """
        self.folder = folder
        """The output folder."""
        self._request = fingerprint(model_sha256, options)
        self._absent: set[str] = set()
        start = len(folder.key) + 1 if folder.key else 0
        try:
            # Hashes, so that a result takes a few dozen bytes.
            listed = folder.opened().objects(folder.key)
            self._before = {hash(key[start:]): _version(state) for key, state in listed}
        except OSError as error:
            raise OutputError(f"cannot list {folder}: {error.strerror}") from error

    def refresh(self) -> None:
        """Do nothing, because the bucket is asked for each result."""

    def may_be_done(self, job: FileTask) -> bool:
        """Return true if there was an object of this result when the journal was opened."""
        return hash(self.name(job)) in self._before

    def done(self, job: FileTask, *, this_run: bool = False) -> FileResult | None:
        """Return the earlier result if the picture, the model and the options are unchanged; `None` otherwise.

        With `this_run`, results that were written before this journal was opened do not count.
        """
        self._absent.discard(self.name(job))
        found = self._found(job)
        if found is None:
            if not this_run:
                self._absent.add(self.name(job))
            return None
        state, record = found
        if this_run and self._before.get(hash(self.name(job))) == _version(state):
            return None
        with contextlib.suppress(KeyError, TypeError, ValueError, OSError):
            if record["of"] == self._origin(job):
                before, after = (tuple(map(int, record[side])) for side in ("from", "to"))
                choice = ModelChoice(*record["chosen"]) if "chosen" in record else None
                return FileResult(job, "skipped", before, after, conversions=tuple(record["conversions"]), choice=choice)
        return None

    def is_foreign(self, job: FileTask) -> bool:
        """Return whether the destination holds an object that upconv did not write.

        If `done` has just found no object, the bucket is not asked again.
        """
        if self.name(job) in self._absent:
            self._absent.discard(self.name(job))
            return False
        found = self._found(job)
        return found is not None and not found[1]

    def begin(self, job: FileTask) -> FileTask:
        """Return the task with the origin that its result shall record. Raises `ImageError` if the picture is missing."""
        try:
            return replace(job, record={"of": self._origin(job)})
        except OSError as error:
            raise ImageError(f"cannot read {job.source}: {error.strerror}") from error

    def end(self, outcome: FileResult) -> None:
        """Do nothing, because the object holds its record."""

    def abandon(self, job: FileTask) -> None:
        """Do nothing, because a picture without a result leaves none."""

    def name(self, job: FileTask) -> str:
        """Return the name of a result in this folder."""
        assert isinstance(job.destination, BucketPath)
        return job.destination.key.removeprefix(f"{self.folder.key}/" if self.folder.key else "")

    def _found(self, job: FileTask) -> tuple[ObjectState, dict[str, Any]] | None:
        assert isinstance(job.destination, BucketPath)
        try:
            found = job.destination.head()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"cannot write {job.destination}: {error.strerror}") from error
        return found.state, parsed(found.record)

    def _origin(self, job: FileTask) -> list[Any]:
        return [*places.version(job.source), self._request]


def _version(state: ObjectState) -> int:
    return hash((state.tag, state.modified_ns))
