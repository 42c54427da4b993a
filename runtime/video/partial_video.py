"""The file of a video that is being written: it has another name until it is complete, and can be continued."""

from __future__ import annotations

import glob
import hashlib
import os
from io import RawIOBase
from pathlib import Path

from upconv.runtime.codecs.files import output_error
from upconv.runtime.errors import ParameterError
from upconv.runtime.video.frame_formats import FrameFormat
from upconv.runtime.video.frame_reader import read_exactly


class PartialVideo:
    """A file that receives frames under the name of the result with `.CODE.part` behind it.

    CODE is a hash of the source's header, the model and the options, so that only the same work continues it.
    """

    def __init__(self, destination: Path, target: FrameFormat, identity: str) -> None:
        """Prepare the file of a video in format `target`. `identity` names the source, the model and the options."""
        self.destination = destination
        code = hashlib.sha256(f"{identity} {target}".encode()).hexdigest()[:8]
        self.path = destination.with_name(f"{destination.name}.{code}.part")
        """The file until it is complete."""
        self._target = target

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Raise `ParameterError` if the result or a part of it exists, unless it may be continued or replaced.

        It is also raised if only a part of other work can be resumed.
        """
        if self.destination.exists() and not overwrite:
            raise ParameterError(f"{self.destination} exists; choose another output, or give --overwrite to replace it")
        if self.path.exists() and not (resume or overwrite):
            raise ParameterError(
                f"{self.path} holds an earlier part of this result; --resume continues it, and --overwrite starts again"
            )
        others = sorted(self.path.parent.glob(f"{glob.escape(self.destination.name)}.????????.part"))
        if resume and others and self.path not in others:
            raise ParameterError(
                f"{others[0]} is of another model, size or source, so it cannot be resumed; give the earlier options, or leave out --resume"
            )

    def open(self, *, resume: bool) -> tuple[RawIOBase, int]:
        """Return the file, ready for the next frame, and the number of its whole frames.

        With `resume`, whole frames stay and a part of a frame is cut off. Raises `OutputError` or `DiskFullError` if the file
        cannot be written.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            file: RawIOBase = os.fdopen(handle, "r+b", buffering=0)
            whole = self._whole_frames(file) if resume else 0
            header = self._target.header
            file.truncate(len(header) + whole * self._stride if whole else 0)
            file.seek(0, os.SEEK_END)
            if not whole:
                write_all(file, header)
        except OSError as error:
            raise output_error(self.path, error) from error
        return file, whole

    def finish(self) -> None:
        """Give the file the name of the result."""
        try:
            os.replace(self.path, self.destination)
        except OSError as error:
            raise output_error(self.destination, error) from error

    @property
    def _stride(self) -> int:
        return len(self._target.marker) + self._target.frame_bytes

    def _whole_frames(self, file: RawIOBase) -> int:
        header = self._target.header
        if read_exactly(file, len(header)) != header:
            return 0
        return (file.seek(0, os.SEEK_END) - len(header)) // self._stride


def write_all(file: RawIOBase, data: bytes | memoryview) -> None:
    """Write all bytes to a file without a buffer, which may take only a part of them at a time. Raises `OSError`."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
