"""The journal of an output folder, which records the results in it.

With it, a run skips results that are done, and does not replace files that upconv did not write.

A line of JSON records the start of a picture, and a second one its end; the last line counts. An incomplete line, which an
interruption leaves, is ignored. Each machine appends to a file of its own, `.upconv/MACHINE.jsonl`, because network file
systems mix what several machines append. All files are read, and `.upconv.jsonl` of earlier versions too.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

from upconv.runtime.codecs.files import output_error, sweep
from upconv.runtime.errors import ImageError
from upconv.runtime.folders import places
from upconv.runtime.folders.file_task import FileResult
from upconv.runtime.folders.fingerprint import fingerprint
from upconv.runtime.folders.journal_file import JournalFile
from upconv.runtime.folders.owner import machine_label
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.model_choice import ModelChoice
from upconv.runtime.options import UpscaleOptions

FOLDER = ".upconv"
"""The folder of the journal in an output folder."""
_EARLIER = ".upconv.jsonl"
"""The journal of earlier versions."""
_TICK_S = 3.0
"""Seconds after which a second change of a folder gets another time. That of FAT counts in steps of 2 s."""


class Journal:
    """The journal of one output folder. Any number of threads, processes and machines may use it."""

    def __init__(self, folder: Path, model_sha256: str, options: UpscaleOptions) -> None:
        """Read the journal in `folder`, if there is one. A result of another model or other options is not done."""
        self.folder = folder
        """The output folder."""
        self._prefix = os.path.join(folder, "")
        self._own = folder / FOLDER / f"{machine_label()}.jsonl"
        self._request = fingerprint(model_sha256, options)
        self._files = {path: JournalFile(path) for path in {self._own, folder / _EARLIER, *self._listed()}}
        self._begun: dict[str, dict[str, Any]] = {}
        self._swept: Path | None = None
        self._changed_ns, self._changed_at = -1, 0.0
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what other processes recorded since."""
        with self._lock:
            for path in self._new():
                self._files[path] = JournalFile(path)
                self._files[path].start = 0  # all of it is newer than this run
            for file in self._files.values():
                file.refresh()

    def done(self, job: FileTask, *, this_run: bool = False) -> FileResult | None:
        """Return the earlier result if the picture, the model, the options and the result file are unchanged.

        Returns `None` otherwise. With `this_run`, results that were recorded before this journal was opened do not count.
        """
        entry = self._entry(self.name(job), this_run=this_run)
        with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
            if entry["bytes"] == places.size(job.destination) and entry["of"] == self._state(job):
                before, after = (tuple(map(int, entry[side])) for side in ("from", "to"))
                choice = ModelChoice(*entry["chosen"]) if "chosen" in entry else None
                return FileResult(job, "skipped", before, after, conversions=tuple(entry["conversions"]), choice=choice)
        return None

    quick = True
    """True if `done` asks nobody, so that it may be called for one picture after another."""

    def may_be_done(self, job: FileTask) -> bool:
        """Return true, because it costs nothing to look."""
        return True

    def is_foreign(self, job: FileTask) -> bool:
        """Return whether the destination holds a file that upconv did not write."""
        return job.destination.exists() and not self._entry(self.name(job))

    def begin(self, job: FileTask) -> FileTask:
        """Record the start of a picture, before its result is written, and return the task.

        Raises `ImageError` if the picture is missing, and what `output_error` returns if the journal cannot be written.
        """
        assert isinstance(job.destination, Path)
        self._sweep(job.destination.parent)
        name = self.name(job)
        try:
            entry = {"output": name, "of": self._state(job), "at": round(time.time(), 3)}
        except FileNotFoundError as error:
            raise ImageError(f"cannot read {job.source}: {error.strerror}") from error
        self._write(entry)
        self._begun[name] = entry
        return job

    def end(self, outcome: FileResult) -> None:
        """Record the result of a picture that is done. Raises what `output_error` returns if the journal cannot be written."""
        job = outcome.job
        result: dict[str, Any] = {
            "bytes": places.size(job.destination),
            "from": outcome.before,
            "to": outcome.after,
            "conversions": outcome.conversions,
            "at": round(time.time(), 3),
        }
        if outcome.choice is not None:
            result["chosen"] = [outcome.choice.name, outcome.choice.reason]
        self._write(self._begun.pop(self.name(job)) | result)  # keeps the state of the picture at the start

    def abandon(self, job: FileTask) -> None:
        """Forget the start of a picture that has no result."""
        self._begun.pop(self.name(job), None)

    def name(self, job: FileTask) -> str:
        """Return the name of a result in this folder."""
        inside = str(job.destination).removeprefix(self._prefix)
        if os.sep == "/" and len(inside) < len(str(job.destination)):  # by text, because pathlib is slow
            return inside
        assert isinstance(job.destination, Path)
        return job.destination.relative_to(self.folder).as_posix()

    def _entry(self, name: str, *, this_run: bool = False) -> dict[str, Any]:
        """Return the last line of a result; an empty one if there is none."""
        with self._lock:
            found = [file.entry(name, since=file.start if this_run else 0) for file in self._files.values()]
        return max(filter(None, found), key=_time, default={})

    def _new(self) -> list[Path]:
        """Return the files that came since the last call. The folder is listed only if its time has changed lately."""
        try:
            changed_ns = os.stat(self._own.parent).st_mtime_ns
        except OSError:
            return []
        if changed_ns == self._changed_ns and time.monotonic() - self._changed_at > _TICK_S:
            return []
        if changed_ns != self._changed_ns:
            self._changed_ns, self._changed_at = changed_ns, time.monotonic()
        return [path for path in self._listed() if path not in self._files]

    def _listed(self) -> list[Path]:
        return sorted((self.folder / FOLDER).glob("*.jsonl"))

    def _state(self, job: FileTask) -> list[Any]:
        return [*places.version(job.source), self._request]

    def _sweep(self, folder: Path) -> None:
        """Remove abandoned partial files, once per folder in a row."""
        with self._lock:
            known, self._swept = self._swept == folder, folder
        if not known:
            sweep(folder)

    def _write(self, entry: dict[str, Any]) -> None:
        try:
            with self._lock:
                try:
                    self._files[self._own].append(entry)
                except FileNotFoundError:
                    self._own.parent.mkdir(parents=True, exist_ok=True)
                    self._files[self._own].append(entry)
        except OSError as error:
            raise output_error(self._own, error) from error


def _time(entry: dict[str, Any]) -> float:
    """Return the time of a line in seconds; lines of earlier versions have none."""
    at = entry.get("at", 0)
    return at if isinstance(at, int | float) else 0
