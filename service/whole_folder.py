"""Folders that are written completely or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upconv.runtime.errors import OutputError, ParameterError, machine_error


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Provide an empty folder that becomes `out` at the end. After an error, `out` is as it was before.

    Raises `ParameterError` if `out` exists and is not an empty folder, and `OutputError` if it cannot be written.
    """
    _check(out)
    partial = out.absolute().with_name(f".{out.absolute().name}.upconv-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise machine_error(error, f"cannot write {out}") or OutputError(f"cannot write {out}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out} is a file; give --output a folder")
    if not out.absolute().parent.is_dir():
        raise ParameterError(f"there is no folder {out.absolute().parent} to make {out.name} in; create it first")
    if out.is_dir() and any(out.iterdir()):
        raise ParameterError(f"{out} is not empty; delete it first, or give --output a new folder")
