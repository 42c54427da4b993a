"""Spools: temporary files that hold the samples of large pictures, so that these take no memory.

The file is an uncompressed BigTIFF of one strip (https://libtiff.gitlab.io/libtiff/specification/bigtiff.html), because
libvips reads that row by row, in any depth and number of channels. libvips would map raw data, and mapped pages count as
memory. The file has no name if the system allows it, so that it disappears with the process.
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
from numpy.typing import DTypeLike

from upconv.runtime.errors import OutputError, UpconvError, machine_error
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import Samples

_DATA = mmap.ALLOCATIONGRANULARITY
"""Offset of the samples in the file. A mapping must begin at a multiple of this."""
_OPEN_FILES = Path("/proc/self/fd")
"""Paths to the open files of this process. Only Linux has them."""
_SHARES_DESCRIPTORS = os.name == "posix"
"""True if libvips can write to a file that Python opened. On Windows, the two may use different C libraries."""


class SpooledSamples(np.ndarray):
    """Samples that are mapped from a spool, or a part or copy of such samples."""

    spool: Spool | None = None
    """The spool that holds exactly these samples. `None` for parts and copies."""
    home: Spool | None = None
    """The spool that holds these samples, or the samples that they were taken from."""

    def __array_finalize__(self, whole: object) -> None:
        self.spool = None
        self.home = getattr(whole, "home", None)


class Spool:
    """A temporary file for samples (H, W, C). Any number of threads may write blocks in any order."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike) -> None:
        """Create the file and reserve its space.

        Raises `DiskFullError` if the disk has no room, and `OutputError` if the file cannot be created otherwise.
        """
        self.shape, self.dtype = shape, np.dtype(dtype)
        failure = f"no room for a picture of {shape[1]}x{shape[0]} in {tempfile.gettempdir()}"
        handle, name = _created(failure)
        try:
            self._file = FileIO(handle, "r+")
            self._lock = threading.Lock()
            self.path = _nameless(handle, name)
            self._end = weakref.finalize(self, _discard, self._file, self.path)
            _allocate(handle, _DATA + int(np.prod(shape)) * self.dtype.itemsize)
            self._put(memoryview(_header(shape, self.dtype)), 0)
        except OSError as error:
            _discard(self._file, name)
            raise _unwritten(failure, error) from error
        self._map: mmap.mmap | None = None

    def write(self, top: int, left: int, block: Samples) -> None:
        """Write a block (h, w, C) at row `top` and column `left`.

        Raises `DiskFullError` if the disk is full, and `OutputError` if it fails otherwise.
        """
        step = self.dtype.itemsize * self.shape[2]
        try:
            for row, line in enumerate(np.ascontiguousarray(block), start=top):
                self._put(line.data, _DATA + (row * self.shape[1] + left) * step)
        except OSError as error:
            raise _unwritten(f"cannot keep a picture of {self.shape[1]}x{self.shape[0]} on disk", error) from error

    def fill(self, image: Any) -> None:
        """Write a whole libvips image of this shape. Raises `pyvips.Error` if libvips cannot compute it."""
        self._file.seek(_DATA)
        if _SHARES_DESCRIPTORS:
            target = pyvips.Target.new_to_descriptor(self._file.fileno())
        else:
            target = pyvips.TargetCustom()
            target.on_write(self._file.write)
        image.rawsave_target(target)

    def image(self) -> Any:
        """Return the samples as a libvips image, which can be read once from top to bottom."""
        image = pyvips.Image.new_from_file(self.path, access="sequential")
        image._references.append(self)  # otherwise the file may be deleted before libvips reads it
        return image

    def samples(self) -> Samples:
        """Return the samples as a read-only array (H, W, C) that is mapped from the file."""
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            weakref.finalize(self._map, _discard, self._file, self.path)  # Windows cannot delete a mapped file
        samples: Any = np.frombuffer(self._map, self.dtype, offset=_DATA).reshape(self.shape).view(SpooledSamples)
        samples.spool = samples.home = self
        result: Samples = samples
        return result

    def release(self) -> None:
        """Release the memory of the pages that were read; they are read from disk again when they are used."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _put(self, data: memoryview, offset: int) -> None:
        written = self._write_at(data, offset)
        if written < data.nbytes:  # a disk that becomes full writes a part first
            self._put(data.cast("B")[written:], offset + written)

    def _write_at(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, offset)
        with self._lock:  # Windows writes at the file's position, which all threads share
            self._file.seek(offset)
            return self._file.write(data)


def spool_of(samples: Samples) -> Spool | None:
    """Return the spool that holds exactly these samples; `None` if there is none."""
    return samples.spool if isinstance(samples, SpooledSamples) else None


def part(samples: Samples, top: int, bottom: int, left: int, right: int) -> Samples:
    """Return rows `top` to `bottom` and columns `left` to `right` of samples (H, W, C).

    The block of spooled samples is a copy, and the pages that were read for it are released.
    """
    block = samples[top:bottom, left:right]
    if not isinstance(samples, SpooledSamples) or samples.home is None:
        return block
    copied: Any = np.array(block, subok=False)
    samples.home.release()
    plain: Samples = copied
    return plain


def _created(failure: str) -> tuple[int, str]:
    """Return a new temporary file, open, and its name. A missing folder is created again."""
    try:
        Path(tempfile.gettempdir()).mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.mkstemp(prefix="upconv-", suffix=".tif")
    except OSError as error:
        raise _unwritten(failure, error) from error


def _unwritten(failure: str, error: OSError) -> UpconvError:
    return machine_error(error, failure) or OutputError(f"{failure}: {error.strerror or error}")


def _nameless(handle: int, name: str) -> str:
    """Return a path to the open file that disappears with the process, or `name` if the system has no such paths."""
    path = _OPEN_FILES / str(handle)
    if not path.exists():
        return name
    os.unlink(name)
    return str(path)


def _allocate(handle: int, size: int) -> None:
    """Reserve `size` bytes on disk, or only extend the file if the system cannot reserve space."""
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
    """Return the header and the directory of a BigTIFF whose samples begin at `_DATA`."""
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
        entries.append(_entry(338, "H", 2))  # the last channel is opacity, not premultiplied
    order = b"II" if sys.byteorder == "little" else b"MM"
    return struct.pack("=2sHHHQQ", order, 43, 8, 0, 16, len(entries)) + b"".join(entries) + bytes(8)


def _entry(tag: int, kind: str, *values: int) -> bytes:
    packed = struct.pack("=" + kind * len(values), *values)
    return struct.pack("=HHQ", tag, {"H": 3, "I": 4, "Q": 16}[kind], len(values)) + packed.ljust(8, b"\0")
