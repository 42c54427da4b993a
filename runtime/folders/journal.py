"""The journal of an output folder, which records the results in it.

With it, a run skips results that are done, and does not replace files that upconv did not write.

A line of JSON in `.upconv.jsonl` records the start of a picture, and a second one its end; the last line counts. An
incomplete line, which an interruption leaves, is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from upconv.runtime.codecs.files import output_error, sweep
from upconv.runtime.errors import ImageError
from upconv.runtime.folders.file_task import FileResult
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.options import UpscaleOptions

NAME = ".upconv.jsonl"


class Journal:
    """The journal of one output folder. Any number of threads may use it."""

    def __init__(self, folder: Path, model_sha256: str, options: UpscaleOptions) -> None:
        """Read the journal in `folder`, if there is one. A result of another model or other options is not done."""
        self._folder = folder
        self._path = folder / NAME
        self._request = _fingerprint(model_sha256, options)
        sweep(folder)
        self._entries = _entries(self._path)
        self._lock = threading.Lock()

    def done(self, job: FileTask) -> FileResult | None:
        """Return the earlier result if the picture, the model, the options and the result file are unchanged.

        Returns `None` otherwise.
        """
        entry = self._entries.get(self._key(job), {})
        with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
            if entry["bytes"] == job.destination.stat().st_size and entry["of"] == self._state(job):
                before, after = (tuple(map(int, entry[side])) for side in ("from", "to"))
                return FileResult(job, "skipped", before, after, conversions=tuple(entry["conversions"]))
        return None

    def is_foreign(self, job: FileTask) -> bool:
        """Return whether the destination holds a file that upconv did not write."""
        return job.destination.exists() and self._key(job) not in self._entries

    def begin(self, job: FileTask) -> None:
        """Record the start of a picture, before its result is written.

        Raises `ImageError` if the picture is missing, and what `output_error` returns if the journal cannot be written.
        """
        try:
            self._write({"output": self._key(job), "of": self._state(job)})
        except FileNotFoundError as error:
            raise ImageError(f"cannot read {job.source}: {error.strerror}") from error

    def end(self, outcome: FileResult) -> None:
        """Record the result of a picture that is done. Raises what `output_error` returns if the journal cannot be written."""
        job = outcome.job
        result = {
            "bytes": job.destination.stat().st_size,
            "from": outcome.before,
            "to": outcome.after,
            "conversions": outcome.conversions,
        }
        self._write(self._entries[self._key(job)] | result)  # keeps the state of the picture at the start

    def _key(self, job: FileTask) -> str:
        return job.destination.relative_to(self._folder).as_posix()

    def _state(self, job: FileTask) -> list[Any]:
        state = job.source.stat()
        return [state.st_size, state.st_mtime_ns, self._request]

    def _write(self, entry: dict[str, Any]) -> None:
        try:
            with self._lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
                self._entries[entry["output"]] = entry
        except OSError as error:
            raise output_error(self._path, error) from error


def _fingerprint(model_sha256: str, options: UpscaleOptions) -> str:
    """Return a hash of the model and of the options that determine a result.

    Limits do not change a result. The format is the suffix of the destination.
    """
    target: dict[str, Any] = {"scale": options.scale, "width": options.width, "height": options.height}
    if options.fitting != "stretch":
        target["fitting"] = options.fitting
    names = ("quality", "lossless", "profile", "metadata", "frames")
    # The layout of the first version, so that folders of earlier runs are continued.
    request = {"target": target, "max_pixels": 0, **{name: getattr(options, name) for name in names}}
    return hashlib.sha256(json.dumps([model_sha256, request], sort_keys=True).encode()).hexdigest()[:16]


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                entries[entry["output"]] = entry
    return entries
