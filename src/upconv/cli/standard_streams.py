"""Standard input and output as binary files, for `-` in place of a file name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path

import typer

from upconv.runtime.errors import ImageError, ParameterError

STANDARD = "-"
"""The name of standard input and output."""
_BROKEN_PIPE_STATUS = 141
"""The status of a shell's process that SIGPIPE ends."""
_PIPE_BYTES = 1 << 20
"""Size of a pipe, the largest that Linux gives to every user. A frame then passes in a few steps, and not in dozens that each
wait for the process at the other end."""


def opened(source: Path) -> RawIOBase:
    """Return a file or standard input, without a buffer.

    Raises `ParameterError` if standard input is a terminal, and `ImageError` if the file cannot be read.
    """
    if str(source) == STANDARD:
        if os.isatty(0):
            raise ParameterError("standard input is a terminal; give the name of a file, or a pipe")
        return _widened(os.fdopen(os.dup(0), "rb", buffering=0))
    try:
        return source.open("rb", buffering=0)
    except OSError as error:
        raise ImageError(f"cannot read {source}: {error.strerror}") from error


def standard_output() -> RawIOBase:
    """Return standard output without a buffer. Raises `ParameterError` if it is a terminal."""
    if os.isatty(1):
        raise ParameterError("standard output is a terminal; give --output a file, or send it to a pipe or a file")
    sys.stdout.flush()
    return _widened(os.fdopen(os.dup(1), "wb", buffering=0))


@contextmanager
def ending_with_the_reader() -> Iterator[None]:
    """End the command without a message if the reader of standard output has closed it."""
    try:
        yield
    except BrokenPipeError as error:
        raise typer.Exit(_BROKEN_PIPE_STATUS) from error


def _widened(file: RawIOBase) -> RawIOBase:
    """Return the file. If it is a pipe of Linux, it holds `_PIPE_BYTES` from now on."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(file.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return file
