"""One file of a journal: lines of JSON that several processes append and read at the same time.

A line is written by one call with `O_APPEND`, so lines of processes on one machine do not mix. The memory of a reader is a
few dozen bytes per result, because it keeps where the last line of a result is and not what it says.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from pathlib import Path
from typing import Any

from upconv.runtime.errors import OutputError, machine_error

_OUTPUT = re.compile(rb'^\{"output": ("(?:[^"\\\n]|\\.)*")[^\n]*\}$', re.MULTILINE)
"""A complete line, with the JSON text of the result's name."""
_BINARY = getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 22
_LONGEST = 1 << 16
"""Longest line in bytes. Names have at most 4096 bytes, which JSON writes as six letters each."""


class JournalFile:
    """The last lines of the results in one file. A file that does not exist has none."""

    def __init__(self, path: Path) -> None:
        """Read what the file holds now. Raises what `refresh` raises."""
        self.path = path
        self._offsets: dict[int, int] = {}  # from the hash of a name to the place of its last line
        self._end = 0
        self.refresh()
        self.start = self._end
        """The length of the file when it was opened."""

    def refresh(self) -> None:
        """Read the lines that were appended since. Raises `OutputError` or `MachineError` if the file cannot be read."""
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._refresh()
        except OSError as error:
            failure = f"cannot read {self.path}"
            raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error

    def _refresh(self) -> None:
        if os.stat(self.path).st_size == self._end:
            return
        handle = os.open(self.path, os.O_RDONLY | _BINARY)  # `open` takes four times as many calls of the system
        try:
            size = self._size(handle)
            place = self._end
            os.lseek(handle, self._end, os.SEEK_SET)
            rest = b""
            while place < size and (chunk := os.read(handle, _CHUNK)):
                place += len(chunk)
                rest = self._index(rest + chunk)
        finally:
            os.close(handle)

    def entry(self, name: str, *, since: int = 0) -> dict[str, Any] | None:
        """Return the last line of a result as it was written, or `None` if it has none from the offset `since` on."""
        offset = self._offsets.get(hash(_quoted(name)))
        if offset is None or offset < since:
            return None
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError), self.path.open("rb", buffering=0) as file:
            file.seek(offset)
            entry: dict[str, Any] = json.loads(file.read(_LONGEST).partition(b"\n")[0])
            return entry if entry["output"] == name else None
        return None

    def append(self, entry: dict[str, Any]) -> None:
        """Append a line whose first key is `output`. Raises `OSError` if it cannot be written.

        If others have written meanwhile, `entry` finds the line only after `refresh`.
        """
        line = json.dumps(entry).encode() + b"\n"
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY, 0o666)
        try:
            size = self._size(handle)
            if size and size != self._end:
                os.lseek(handle, -1, os.SEEK_END)
                if os.read(handle, 1) != b"\n":  # a killed process left an incomplete line
                    line = b"\n" + line
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if size == self._end and os.lseek(handle, 0, os.SEEK_CUR) == size + len(line):  # nobody else has written
                self._index(line)
        finally:
            os.close(handle)

    def _size(self, handle: int) -> int:
        """Return the size of the file. Forget what is known if it is smaller than that, because somebody has replaced it."""
        size = os.fstat(handle).st_size
        if size < self._end:
            self._offsets, self._end = {}, 0
        return size

    def _index(self, data: bytes) -> bytes:
        """Note the complete lines in `data`, which begins at the end of what is known. Return the incomplete line."""
        whole = data.rfind(b"\n") + 1
        for found in _OUTPUT.finditer(data, 0, whole):
            self._offsets[hash(found[1])] = self._end + found.start()
        self._end += whole
        return data[whole:]


def _quoted(name: str) -> bytes:
    return json.dumps(name).encode()
