"""The folder of jobs: their pictures, their results and their database, locked for one process."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from upconv.runtime.errors import ParameterError
from upconv.service.jobs.lock import lock
from upconv.service.jobs.retries import after_crash
from upconv.service.jobs.store import JobStore

_STATE_HOME = "XDG_STATE_HOME"


class JobFolder:
    """The files of jobs, by job id, and the store that describes the jobs."""

    def __init__(self, path: Path, lasting: bool) -> None:
        self.path = path
        self.lasting = lasting
        """False if the folder is temporary and is deleted when the process ends."""
        self._spool = path / "spool"
        self.store = JobStore(path / "jobs.sqlite3")

    def picture(self, id: str) -> Path:
        """Return the path of the uploaded picture."""
        return self._spool / f"{id}.in"

    def result(self, id: str) -> Path:
        """Return the path of the upscaled picture."""
        return self._spool / f"{id}.out"

    def remove(self, id: str) -> None:
        """Delete the picture and the result of a job."""
        for path in (self.picture(id), self.result(id)):
            path.unlink(missing_ok=True)

    def recover(self, active: Collection[str] = ()) -> None:
        """Queue the jobs that are marked as running, but are not among the `active` ones of this process."""
        for job in self.store.running():
            if job.id not in active:
                self.store.settle(after_crash(job))

    def remove_strays(self, age_s: float) -> None:
        """Delete files without a job that are older than `age_s` seconds. Younger ones may belong to a job in the making."""
        known, before = self.store.ids(), time.time() - age_s
        for path in self._spool.iterdir() if self._spool.is_dir() else ():
            if path.stem not in known and path.is_file() and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file atomically, and flush it to the disk.

        Raises `OSError` if that fails; then no part of the file is left.
        """
        self._make_spool()
        partial = path.with_suffix(f"{path.suffix}.part")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def free_bytes(self) -> int:
        """Return the free bytes on the disk."""
        self._make_spool()
        return shutil.disk_usage(self._spool).free

    def _make_spool(self) -> None:
        """Create the folder of the files, but not the one around it, which may be a disk that is not mounted."""
        if not self._spool.is_dir():
            self._spool.mkdir(mode=0o700, exist_ok=True)
            _sync(self.path)


@contextmanager
def opened(path: Path | None) -> Iterator[JobFolder]:
    """The folder at `path`, held by this process alone.

    Where no path is given, `$XDG_STATE_HOME/upconv/jobs`; or, where that cannot be used or another process has it, one that ends
    with this process. Raises `ParameterError` where a path is given and cannot be used.
    """
    with ExitStack() as stack:
        try:
            folder = JobFolder(stack.enter_context(_locked(path or _default())), lasting=True)
        except _UnusableFolderError as error:
            if path is not None:
                raise ParameterError(
                    f"the folder for jobs, {path}, cannot be used: {error}; give another by --jobs-dir"
                ) from error
            folder = JobFolder(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="upconv-jobs-"))), lasting=False)
        stack.callback(folder.store.close)
        yield folder


class _UnusableFolderError(Exception):
    """The folder cannot be created, or another process uses it."""


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _lock_file(path / "lock")
    except OSError as error:
        raise _UnusableFolderError(error.strerror or str(error)) from error
    with file:
        try:
            lock(file)
        except OSError as error:
            raise _UnusableFolderError("another process of the service uses it, and limits are counted per process") from error
        yield path


def _lock_file(path: Path) -> IO[str]:
    """Open the lock for writing, or for reading if the disk has become read-only: pictures are served without jobs then."""
    try:
        return path.open("a")
    except OSError:
        return path.open()


def _default() -> Path:
    home = os.environ.get(_STATE_HOME) or os.path.expanduser("~/.local/state")
    return Path(home) / "upconv" / "jobs"


def _sync(folder: Path) -> None:
    """Flush the entries of a folder to the disk. Windows cannot open folders, and flushes the entries by itself."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
