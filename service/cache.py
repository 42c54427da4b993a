"""A cache of results on the disk, by ETag. If it is full, it deletes the least recently used results."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from upconv.runtime.errors import DiskFullError, ParameterError, machine_error
from upconv.runtime.options import UpscaleOptions

Failure = Literal["read", "write", "damaged"]
"""A failure of the cache: a file that cannot be read or written, or that does not match its checksum."""

_LENGTH = 8
"""Bytes of a length."""
_HEAD = _LENGTH + hashlib.sha256().digest_size
"""Bytes of the head of a file: the length and the checksum of the content, which follows.

The content is the length of the headers, the headers as JSON, and the picture.
"""
_PARTIAL, _KEPT = ".part-", ".kept"
_SWEEP_TO = 0.9
_IDENTITY = (
    *("scale", "width", "height", "fitting", "format", "quality", "lossless", "metadata", "profile", "colors", "border"),
)
"""The options that determine a result."""


@dataclass(frozen=True)
class CachedResult:
    """The body and the headers of a result."""

    data: bytes
    headers: dict[str, str]


def etag(options: UpscaleOptions, picture: bytes, model_sha256: str) -> str:
    """Return the ETag of a result: a hash of the picture, the options, the model file and the version.

    These determine every byte of a result. Limits do not change a result, so they are left out.
    """
    values = {name: getattr(options, name) for name in _IDENTITY}
    digest = hashlib.sha256(json.dumps([version("upconv"), model_sha256, values], sort_keys=True).encode())
    digest.update(picture)
    return f'"{digest.hexdigest()}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Return true if an If-None-Match header contains this ETag."""
    return if_none_match.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in if_none_match.split(","))


class Cache:
    """A cache of results in a folder. Threads may share it."""

    def __init__(self, folder: Path, max_bytes: int, failed: Callable[[Failure], object] = lambda _: None) -> None:
        """Open or create the folder, and delete what a killed process left in it.

        `failed` is called for each failure. Raises `ParameterError` if the folder cannot be used.
        """
        self._folder, self._max_bytes, self._failed = folder, max_bytes, failed
        self._lock = threading.Lock()
        try:
            self._make_folder()
            for partial in folder.glob(f"{_PARTIAL}*"):
                partial.unlink(missing_ok=True)
            self._sweep(max_bytes)
        except OSError as error:
            raise ParameterError(f"the folder for cached results, {folder}, cannot be used: {error.strerror}") from error

    def get(self, etag: str) -> CachedResult | None:
        """Return the result, or `None` if it is not cached. A damaged file is deleted."""
        path = self._path(etag)
        try:
            result = _unpacked(etag, path.read_bytes())
            if result is None:
                self._failed("damaged")
                path.unlink(missing_ok=True)
                self._sweep(self._max_bytes)  # counts the bytes again
            else:
                os.utime(path)
            return result
        except FileNotFoundError:
            return None
        except OSError:
            self._failed("read")
            return None

    def put(self, etag: str, result: CachedResult) -> None:
        """Store a result. If it cannot be written, it is not stored, and the next result is tried again.

        If the disk is full, the least recently used results make room. Nothing is flushed to the disk (fsync), because a
        cache may lose results: a file that a power cut leaves incomplete does not match its checksum.
        """
        content = _packed(etag, result)
        if len(content) > self._max_bytes:
            return
        try:
            try:
                self._write(self._path(etag), content)
            except OSError as error:
                if not isinstance(machine_error(error), DiskFullError):
                    raise
                self._sweep(min(self._bytes - len(content), _SWEEP_TO * self._bytes))
                self._write(self._path(etag), content)
            if self._bytes > self._max_bytes:
                self._sweep(_SWEEP_TO * self._max_bytes)
        except OSError:
            self._failed("write")

    def _write(self, path: Path, content: bytes) -> None:
        self._make_folder()
        handle, partial = tempfile.mkstemp(dir=self._folder, prefix=_PARTIAL)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            with self._lock:
                before = _size(path)
                os.replace(partial, path)
                self._bytes += len(content) - before
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sweep(self, most: float) -> None:
        """Delete the least recently used results until `most` bytes remain, and count the remaining bytes again."""
        with self._lock:
            found = sorted(_files(self._folder), key=lambda each: each[1].st_mtime_ns)
            self._bytes = sum(stat.st_size for _, stat in found)
            for path, stat in found:
                if self._bytes <= most:
                    return
                path.unlink(missing_ok=True)
                self._bytes -= stat.st_size

    def _path(self, etag: str) -> Path:
        name = etag.strip('"')
        return self._folder / f"{name}{_KEPT}"

    @property
    def bytes(self) -> int:
        """Bytes of all cached results."""
        return self._bytes


def _packed(etag: str, result: CachedResult) -> bytes:
    headers = json.dumps(result.headers).encode()
    content = b"".join((len(headers).to_bytes(_LENGTH, "little"), headers, result.data))
    return b"".join((len(content).to_bytes(_LENGTH, "little"), _checksum(etag, content), content))


def _unpacked(etag: str, whole: bytes) -> CachedResult | None:
    """Return the result in the bytes of a file; `None` if they are not exactly what was written for this ETag."""
    length, checksum, content = whole[:_LENGTH], whole[_LENGTH:_HEAD], whole[_HEAD:]
    if int.from_bytes(length, "little") != len(content) or checksum != _checksum(etag, content):
        return None
    start = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    return CachedResult(content[start:], json.loads(content[_LENGTH:start]))


def _checksum(etag: str, content: bytes) -> bytes:
    digest = hashlib.sha256(etag.encode())
    digest.update(content)
    return digest.digest()


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob(f"*{_KEPT}"):
        with suppress(FileNotFoundError):  # another process may sweep the folder, too
            yield path, path.stat()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
