"""Reading and writing of image files: each file completely or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from pathlib import Path

from upconv.runtime.codecs.decoding import decode
from upconv.runtime.codecs.formats import HEAD_BYTES, sniff, unread
from upconv.runtime.errors import ImageError, ImageTooLargeError, OutputError, UpconvError, machine_error
from upconv.runtime.options import MAX_PIXELS
from upconv.runtime.picture import Picture

_PARTIAL = ".upconv-"
_LEFT_S = 3600
"""Age in seconds from which a partial file is abandoned, because writing does not take as long."""
_BYTES_A_PIXEL = 16
"""Largest size of a pixel in a file, in bytes: four channels of 32 bits."""
_BYTES_BESIDE = 1 << 26
"""Largest size of profiles and metadata, in bytes."""


def read(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Return the picture in a file. Raises what `decode` raises, with the path in the message."""
    data = read_bytes(path, max_pixels)
    try:
        return decode(data, max_pixels)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def read_bytes(path: Path, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of an image file.

    Raises `ImageError` if `path` is not a regular file, is in a format that is not read, or changes during reading,
    `ImageTooLargeError` if the file is longer than a picture of `max_pixels` pixels needs, and `MachineError` if the machine
    lacks memory or open files.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError(f"{path} is not a file; expected an image file")
        return _read(path, largest_file(max_pixels))
    except OSError as error:
        raise machine_error(error, f"cannot read {path}") or ImageError(f"cannot read {path}: {error.strerror}") from error


def largest_file(max_pixels: int) -> int:
    """Return the size in bytes above which no file of a picture of so many pixels is read."""
    return _BYTES_A_PIXEL * max_pixels + _BYTES_BESIDE


def check_image(place: object, head: bytes, size: int, limit: int) -> None:
    """Raise `ImageError` if the first bytes are those of no image, and `ImageTooLargeError` above `limit` bytes.

    `place` begins the message.
    """
    if sniff(head) is None:
        raise ImageError(f"{place}: {unread(head)}")
    if size > limit:
        raise ImageTooLargeError(f"{place} has {size} bytes; at most {limit} are allowed")


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        head = file.read(HEAD_BYTES)
        check_image(path, head, before.st_size, limit)
        data = head + file.read(before.st_size)  # never `limit`, because Python allocates what it is asked for
        after = os.fstat(file.fileno())
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ImageError(f"{path} changed while it was read; try again when it is complete")
    return data


def write_atomically(path: Path, data: bytes, modified_ns: int | None = None) -> None:
    """Write a file completely, or leave the existing one unchanged.

    The umask determines who may read it. `modified_ns` is its modification time in nanoseconds since 1970, by default now.

    Raises `DiskFullError` if the disk is full or read-only, and `OutputError` if the file cannot be written otherwise.
    """
    try:
        _write(path, data, modified_ns)
    except OSError as error:
        raise output_error(path, error) from error


def sweep(folder: Path) -> None:
    """Remove the partial files that killed processes left in a folder, without its subfolders."""
    before = time.time() - _LEFT_S
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PARTIAL):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < before:
                        os.unlink(entry.path)


def output_error(path: object, error: OSError) -> UpconvError:
    """Return the error to raise if a file cannot be written: `OutputError`, or `MachineError` if the disk is full."""
    failure = f"cannot write {path}"
    return machine_error(error, failure) or OutputError(f"{failure}: {error.strerror or error}")


def _write(path: Path, data: bytes, modified_ns: int | None) -> None:
    partial = path.parent / f"{_PARTIAL}{uuid.uuid4().hex}"
    # The module tempfile would forbid other users to read the file, whatever the umask allows.
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if modified_ns is not None:
            os.utime(partial, ns=(modified_ns, modified_ns))
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
