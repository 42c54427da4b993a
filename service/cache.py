"""A cache of results on the disk, by ETag. If it is full, it deletes the least recently used results."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import UpscaleOptions

_HEAD = 4
"""Bytes of the length field at the start of a file. The headers and the picture follow."""
_SWEEP_TO = 0.9
_IDENTITY = ("scale", "width", "height", "format", "quality", "lossless", "metadata", "profile")
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

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Open or create the folder; raise `ParameterError` if it cannot be used."""
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for partial in folder.glob(".part-*"):
                partial.unlink(missing_ok=True)
            self._bytes = sum(path.stat().st_size for path in folder.glob("*.kept"))
        except OSError as error:
            raise ParameterError(f"the folder for cached results, {folder}, cannot be used: {error.strerror}") from error

    @property
    def bytes(self) -> int:
        """Bytes of all cached results."""
        return self._bytes

    def get(self, etag: str) -> CachedResult | None:
        """Return the result, or `None` if it is not cached or its file is damaged."""
        path = self._path(etag)
        try:
            whole = path.read_bytes()
            os.utime(path)
            length = _HEAD + int.from_bytes(whole[:_HEAD], "little")
            return CachedResult(whole[length:], json.loads(whole[_HEAD:length]))
        except (OSError, ValueError):
            return None

    def put(self, etag: str, result: CachedResult) -> None:
        """Store a result. If it cannot be written, it is not stored."""
        head = json.dumps(result.headers).encode()
        size = _HEAD + len(head) + len(result.data)
        if size > self._max_bytes:
            return
        try:
            handle, partial = tempfile.mkstemp(dir=self._folder, prefix=".part-")
            with os.fdopen(handle, "wb") as file:
                file.write(len(head).to_bytes(_HEAD, "little") + head + result.data)
            with self._lock:
                os.replace(partial, self._path(etag))
                self._bytes += size
                if self._bytes > self._max_bytes:
                    self._sweep()
        except OSError:
            return

    def _sweep(self) -> None:
        """Delete the least recently used results, some more than needed, and count the remaining bytes again."""
        found = sorted(((path, path.stat()) for path in self._folder.glob("*.kept")), key=lambda each: each[1].st_mtime_ns)
        self._bytes = sum(stat.st_size for _, stat in found)
        for path, stat in found:
            if self._bytes <= _SWEEP_TO * self._max_bytes:
                return
            path.unlink(missing_ok=True)
            self._bytes -= stat.st_size

    def _path(self, etag: str) -> Path:
        name = etag.strip('"')
        return self._folder / f"{name}.kept"
