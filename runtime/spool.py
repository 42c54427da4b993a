"""Samples on disk: a large picture lies in an unlinked temporary file, so that it takes no memory.

The file is an uncompressed BigTIFF of one strip (https://libtiff.gitlab.io/libtiff/specification/bigtiff.html), because
libvips reads that row by row, in any depth and number of channels. Raw data it would map, and mapped pages count as memory.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import DTypeLike

from upconv.runtime.errors import OutputError
from upconv.runtime.picture import Samples

_DATA = mmap.ALLOCATIONGRANULARITY
"""Where the samples begin in the file: as far in as a mapping has to."""
_OPEN_FILES = Path("/proc/self/fd")
"""Paths to the open files of this process, which only Linux has."""
_SHARES_DESCRIPTORS = os.name == "posix"
"""Whether libvips can write to a file that Python opened; on Windows each may have a C library of its own."""


class SpooledSamples(np.ndarray):
    """Samples whose pages lie on disk, or a part or copy of such samples."""

    spool: Spool | None = None
    """Where all of these samples lie; none for parts and copies."""
    home: Spool | None = None
    """Where these samples, or what they were taken from, lie."""

    def __array_finalize__(self, whole: object) -> None:
        self.spool = None
        self.home = getattr(whole, "home", None)


class Spool:
    """Room on disk for samples (H, W, C), written in any order by any number of threads."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        """Raises `OutputError` where the disk has no room for them."""
        self.shape, self.dtype = shape, np.dtype(dtype)
        handle, name = tempfile.mkstemp(prefix="upconv-", suffix=".tif")
        try:
            self._file = FileIO(handle, "r+")
            self._lock = threading.Lock()
            self.path = _nameless(handle, name)
            self._end = weakref.finalize(self, _discard, self._file, self.path)
            _allocate(handle, _DATA + int(np.prod(shape)) * self.dtype.itemsize)
            self._put(memoryview(_header(shape, self.dtype)), 0)
        except OSError as error:
            _discard(self._file, name)
            raise OutputError(
                f"no room for a picture of {shape[1]}x{shape[0]} in {Path(name).parent}: {error.strerror}"
            ) from error
        self._map: mmap.mmap | None = None

    def write(self, top: int, left: int, block: Samples) -> None:
        """Put a block (h, w, C) with its first sample at row `top` and column `left`; raises `OutputError`."""
        step = self.dtype.itemsize * self.shape[2]
        try:
            for row, line in enumerate(np.ascontiguousarray(block), start=top):
                self._put(line.data, _DATA + (row * self.shape[1] + left) * step)
        except OSError as error:
            raise OutputError(f"cannot keep a picture of {self.shape[1]}x{self.shape[0]} on disk: {error.strerror}") from error

    def fill(self, image: Any) -> None:
        """Write all of a libvips image of this shape, row by row; raises `pyvips.Error`."""
        self._file.seek(_DATA)
        if _SHARES_DESCRIPTORS:
            target = pyvips.Target.new_to_descriptor(self._file.fileno())
        else:
            target = pyvips.TargetCustom()
            target.on_write(self._file.write)
        image.rawsave_target(target)

    def image(self) -> Any:
        """What was written as a libvips image, to be read from top to bottom once."""
        image = pyvips.Image.new_from_file(self.path, access="sequential")
        image._references.append(self)  # or the file would be gone when libvips starts to read
        return image

    def samples(self) -> Samples:
        """What was written as an array that cannot be changed; its pages come from disk when they are touched."""
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            weakref.finalize(self._map, _discard, self._file, self.path)  # Windows deletes no file that is mapped
        samples: Any = np.frombuffer(self._map, self.dtype, offset=_DATA).reshape(self.shape).view(SpooledSamples)
        samples.spool = samples.home = self
        result: Samples = samples
        return result

    def release(self) -> None:
        """Give back the memory of pages that were touched; they come from disk again when they are needed."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _put(self, data: memoryview, offset: int) -> None:
        written = self._write_at(data, offset)
        if written < data.nbytes:  # a disk that fills up takes a part first
            self._put(data.cast("B")[written:], offset + written)

    def _write_at(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, offset)
        with self._lock:  # Windows only writes at the one position that all threads share
            self._file.seek(offset)
            return self._file.write(data)


def spool_of(samples: Samples) -> Spool | None:
    """Where these samples lie, if they are all of a spool's."""
    return samples.spool if isinstance(samples, SpooledSamples) else None


def part(samples: Samples, top: int, bottom: int, left: int, right: int) -> Samples:
    """A block of samples; of spooled ones a copy, for which no memory is kept beside it."""
    block = samples[top:bottom, left:right]
    if not isinstance(samples, SpooledSamples) or samples.home is None:
        return block
    copied: Any = np.array(block, subok=False)
    samples.home.release()
    plain: Samples = copied
    return plain


def _nameless(handle: int, name: str) -> str:
    """Return a path to the open file that disappears with the process, or `name` if the system has no such paths."""
    path = _OPEN_FILES / str(handle)
    if not path.exists():
        return name
    os.unlink(name)
    return str(path)


def _allocate(handle: int, size: int) -> None:
    """Reserve `size` bytes on disk, or at least extend the file to them if the system reserves none."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)


def _discard(file: FileIO, path: str) -> None:
    """Close the file, and delete it if it still has a name."""
    file.close()
    if not path.startswith(str(_OPEN_FILES)):
        with suppress(OSError):
            os.unlink(path)


def _header(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> bytes:
    height, width, channels = shape
    bits = 8 * dtype.itemsize
    entries = [
        _entry(256, "I", width),
        _entry(257, "I", height),
        _entry(258, "H", *[bits] * channels),
        _entry(259, "H", 1),  # no compression
        _entry(262, "H", 2 if channels > 2 else 1),  # RGB, or black is zero
        _entry(273, "Q", _DATA),
        _entry(277, "H", channels),
        _entry(278, "I", height),  # rows of the strip
        _entry(279, "Q", height * width * channels * dtype.itemsize),
        _entry(284, "H", 1),  # interleaved
    ]
    if channels in (2, 4):
        entries.append(_entry(338, "H", 2))  # the last is opacity, not premultiplied
    order = b"II" if sys.byteorder == "little" else b"MM"
    return struct.pack("=2sHHHQQ", order, 43, 8, 0, 16, len(entries)) + b"".join(entries) + bytes(8)


def _entry(tag: int, kind: str, *values: int) -> bytes:
    packed = struct.pack("=" + kind * len(values), *values)
    return struct.pack("=HHQ", tag, {"H": 3, "I": 4, "Q": 16}[kind], len(values)) + packed.ljust(8, b"\0")
