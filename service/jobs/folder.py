"""The folder of jobs: their pictures, their results and their database, locked for one process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from upconv.runtime.errors import ParameterError
from upconv.runtime.user_folders import state_folder
from upconv.service.jobs.database import SqliteDatabase
from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.lock import lock
from upconv.service.jobs.storage import JobStorage
from upconv.service.jobs.store import JobStore


@contextmanager
def opened(path: Path | None) -> Iterator[JobStorage]:
    """The storage in the folder at `path`, held by this process alone.

    Where no path is given, `$XDG_STATE_HOME/upconv/jobs`; or, where that cannot be used or another process has it, one that ends
    with this process. Raises `ParameterError` where a path is given and cannot be used.
    """
    with ExitStack() as stack:
        try:
            storage = _storage(stack.enter_context(_locked(path or state_folder() / "jobs")), lasting=True)
        except _UnusableFolderError as error:
            if path is not None:
                raise ParameterError(
                    f"the folder for jobs, {path}, cannot be used: {error}; give another by --jobs-dir"
                ) from error
            storage = _storage(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="upconv-jobs-"))), lasting=False)
        stack.callback(storage.store.close)
        yield storage


def _storage(path: Path, lasting: bool) -> JobStorage:
    return JobStorage(JobStore(SqliteDatabase(path / "jobs.sqlite3")), FolderFiles(path / "spool"), lasting)


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
