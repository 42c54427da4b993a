"""The files of jobs in a folder, which may be one that replicas share."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from upconv.service.jobs.job_files import FileChunks, id_of


class FolderFiles:
    """Files in one folder, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically, and flush it to the disk.

        Raises `OSError` if that fails; then no part of the file is left.
        """
        self._make_folder()
        path = self.folder / name
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
        _sync(self.folder)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.folder / name).read_bytes()

    def chunks(self, name: str, start: int = 0, stop: int | None = None) -> FileChunks:
        """Open a file, and return the parts of its content from byte `start` to before `stop`."""
        file = (self.folder / name).open("rb")
        file.seek(start)
        return FileChunks(file.read, file.close, None if stop is None else stop - start)

    def exists(self, name: str) -> bool:
        """Return true if there is a file of this name."""
        return (self.folder / name).is_file()

    def remove(self, *names: str) -> None:
        """Delete files. Those that do not exist are left out."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def remove_strays(self, known: Collection[str], age_s: float) -> None:
        """Delete files of jobs that are not `known`, by id, and are older than `age_s` seconds."""
        before = time.time() - age_s
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if id_of(path.name) not in known and path.is_file() and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the free bytes on the disk."""
        self._make_folder()
        return shutil.disk_usage(self.folder).free

    def path(self, name: str) -> Path:
        """Return the path of a file, which may not exist."""
        return self.folder / name

    def url(self, name: str, media_type: str) -> None:
        """Return `None`, because a folder has no URLs."""

    def check(self) -> None:
        """Raise `OSError` if the folder cannot be read at the moment."""
        if self.folder.is_dir():
            os.scandir(self.folder).close()
        else:
            os.stat(self.folder.parent)

    def close(self) -> None:
        """Do nothing, because a folder has no connections."""

    def _make_folder(self) -> None:
        """Create the folder of the files, but not the one around it, which may be a disk that is not mounted."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            _sync(self.folder.parent)


def _sync(folder: Path) -> None:
    """Flush the entries of a folder to the disk. Windows cannot open folders, and flushes the entries by itself."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
