"""The pictures and the results of jobs: the interface of the place where they are kept, and their names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from upconv.service.jobs.job import Job

_CHUNK_BYTES = 1 << 18


class FileChunks:
    """The parts of an open file. The last one closes it."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], object], bytes: int | None = None) -> None:
        self._read, self.close, self._left = read, close, bytes

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        size = _CHUNK_BYTES if self._left is None else min(_CHUNK_BYTES, self._left)
        data = self._read(size) if size else b""
        if not data:
            self.close()
            raise StopIteration
        if self._left is not None:
            self._left -= len(data)
        return data


async def each_chunk(chunks: FileChunks) -> AsyncIterator[bytes]:
    """Yield the parts of a file, which is read in threads and closed at the end."""
    try:
        while chunk := await to_thread.run_sync(next, chunks, b""):
            yield chunk
    finally:
        chunks.close()


class JobFiles(Protocol):
    """A place for the pictures and the results of jobs. Any thread may use it.

    A method raises `FileNotFoundError` if it reads a file that does not exist, and `OSError` or `StorageError` if the place
    cannot be used at the moment.
    """

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all, so that it outlives a loss of power."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    def chunks(self, name: str, start: int = 0, stop: int | None = None) -> FileChunks:
        """Open a file, and return the parts of its content from byte `start` to before `stop`."""

    def exists(self, name: str) -> bool:
        """Return true if there is a file of this name."""

    def remove(self, *names: str) -> None:
        """Delete files. Those that do not exist are left out."""

    def remove_strays(self, known: Collection[str], age_s: float) -> None:
        """Delete files of jobs that are not `known`, by id, and are older than `age_s` seconds."""

    def free_bytes(self) -> int | None:
        """Return the free bytes; `None` if the place sets no limit."""

    def path(self, name: str) -> Path | None:
        """Return the path of a file, which may not exist; `None` if files have no path."""

    def url(self, name: str, media_type: str) -> str | None:
        """Return a signed URL under which anyone can get a file for some minutes; `None` if there is no such URL."""

    def check(self) -> None:
        """Raise an error if files cannot be read at the moment."""

    def close(self) -> None:
        """Close the connections to the place, if there are any."""


def picture_name(id: str) -> str:
    """Return the name of the uploaded picture of a job."""
    return f"{id}.in"


def result_name(job: Job) -> str:
    """Return the name of the upscaled picture.

    Each start of a job has a name of its own, so that a start whose time is over cannot replace the result of a later one.
    """
    return f"{job.id}.{job.claim}.out" if job.claim else f"{job.id}.out"


def id_of(name: str) -> str:
    """Return the id of the job to which a file belongs."""
    return name.partition(".")[0]
