"""The errors that upconv raises, as one tree.

UpconvError
 ├─ ModelError          the .onnx file is missing, damaged, or does not do what its contract states
 │   └─ ContractError       the contract is missing, malformed or of a later version
 ├─ ProviderError       the execution provider is not available
 │   ├─ DeviceLostError     its device does not answer any more, for example because it vanished
 │   └─ NoEndpointError     no server that computes tiles answers, or none computes the function of the model
 ├─ ImageError          the picture is not an image, damaged, or in a format that is not read
 │   └─ ImageTooLargeError  the picture has more pixels than allowed
 ├─ OutputError         the result cannot be written, for example without permission
 ├─ MachineError        the machine has no more threads or open files at the moment; a later try can succeed
 │   ├─ OutOfMemoryError    the work needs more memory than is free
 │   └─ DiskFullError       the disk has no room, for this result or any other
 ├─ ParameterError      an option is invalid: a scale of 0, an unknown format
 ├─ SourceError         the source of an export is not found or cannot be loaded
 ├─ ExportError         a step of the export failed, or its result is not equal
 ├─ Cancelled           the caller cancelled the work
 └─ Overloaded          the queue is full
     └─ TimedOut            the deadline passed before the result was complete

Every message is one sentence: what was expected, what came, and what to do.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager


class UpconvError(Exception):
    """The base class of every error that upconv raises on purpose."""


class ModelError(UpconvError):
    """The model file cannot be used."""


class ContractError(ModelError):
    """The model file has no contract that this version can read."""


class ProviderError(UpconvError):
    """The execution provider is not available on this machine."""


class DeviceLostError(ProviderError):
    """The device of the execution provider does not answer any more."""


class NoEndpointError(ProviderError):
    """No server that computes tiles can be used at the moment."""


class ImageError(UpconvError):
    """The picture cannot be read or written."""


class ImageTooLargeError(ImageError):
    """The picture has more pixels than the limit allows."""


class OutputError(UpconvError):
    """The result cannot be written to its destination."""


class MachineError(UpconvError):
    """The machine lacks something at the moment that a later try can find: threads, open files, memory or room on the disk."""


class OutOfMemoryError(MachineError):
    """The work needs more memory than is free."""


class DiskFullError(MachineError):
    """The disk has no room for any result."""


class ParameterError(UpconvError):
    """A parameter has a value that is not allowed."""


class SourceError(UpconvError):
    """The source of an export cannot be found or loaded."""


class ExportError(UpconvError):
    """The export failed and wrote no file."""


class Cancelled(UpconvError):
    """The caller cancelled the work."""


class Overloaded(UpconvError):
    """The queue is full."""


class TimedOut(Overloaded):
    """The deadline passed before the result was complete."""


_BY_NUMBER: dict[int | None, type[MachineError]] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG), DiskFullError),
    errno.ENOMEM: OutOfMemoryError,
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EAGAIN), MachineError),
}
_BY_MESSAGE: tuple[tuple[type[MachineError], str], ...] = (
    (DiskFullError, r"no space left|quota exceeded|file too large|read-only file system|disk is full"),
    (OutOfMemoryError, r"out of memory|bad[_ ]alloc|ALLOC_FAILED|insufficient memory|available memory of"),
    (OutOfMemoryError, r"memory allocation (?:error|failed)|(?:failed to|cannot|can't|unable to) allocate"),
    (OutOfMemoryError, r"OUT_OF_(?:DEVICE|HOST|POOL)_MEMORY|E_OUTOFMEMORY|max(?:imum)? buffer size"),
    (
        OutOfMemoryError,
        r"\[Invalid Buffer[^\]]*\] is invalid due to a previous error|too many storage buffers in shader",
    ),  # Dawn
    (MachineError, r"(?:start|create|creating)(?: a)?(?: new)? thread|thread creation|too many open files"),
    (MachineError, r"resource temporarily unavailable|out of order read"),  # libvips reads so if one of its threads failed
)
"""What Python, libvips and its codecs, onnxruntime, the C++ library, CUDA, cuDNN, Vulkan, Direct3D and WebGPU say if the machine lacks something."""
_REMEDY = {
    OutOfMemoryError: "free memory",
    DiskFullError: "make room on the disk",
    MachineError: "raise the limits on threads and open files",
}
_OF_PICTURE = r"security limit|\(0 elements of|\(\d{9,} elements of"
"""libheif calls its limits on a file's fields an error of memory allocation, and libtiff so calls numbers that no file has."""


def machine_error(error: BaseException, failure: str = "the work cannot be done") -> MachineError | None:
    """Return the error to raise if `error` is due to a lack of the machine; `None` if it has another cause.

    This is the only place that tells the machine's trouble, which passes, from a bad picture, model or option. `failure`
    begins the message.
    """
    if isinstance(error, MachineError):
        return error
    if isinstance(error, UpconvError):
        return None
    kind, reason = _lack(error)
    return None if kind is None else kind(f"{failure}: {reason}; {_REMEDY[kind]}, or try again later")


@contextmanager
def converting(failure: str) -> Iterator[None]:
    """Raise a `MachineError` instead of an error of Python or of a library, if the machine lacks something."""
    try:
        yield
    except Exception as error:
        trouble = machine_error(error, failure)
        if trouble is None or trouble is error:
            raise
        raise trouble from error


def _lack(error: BaseException) -> tuple[type[MachineError] | None, str]:
    """Return the kind of the machine's trouble, or `None`, and the words for it."""
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno), error.strerror or str(error)
    if isinstance(error, MemoryError):
        return OutOfMemoryError, "out of memory"
    for line in f"{error}\n{getattr(error, 'detail', '')}".splitlines():  # `detail` holds the text of libvips
        for kind, pattern in _BY_MESSAGE:
            if re.search(pattern, line, re.IGNORECASE) and not re.search(_OF_PICTURE, line, re.IGNORECASE):
                return kind, line.strip()
    return None, ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
