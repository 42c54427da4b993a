"""The errors that upconv raises, as one tree.

UpconvError
 ├─ ModelError          the .onnx file is missing, damaged, or does not do what its contract states
 │   ├─ ContractError       the contract is missing, malformed or of a later version
 │   └─ OutOfMemoryError    the model needs more memory than is free
 ├─ ProviderError       the execution provider is not available
 ├─ ImageError          the picture is not an image, damaged, or in a format that is not read
 │   └─ ImageTooLargeError  the picture has more pixels than allowed
 ├─ OutputError         the result cannot be written, for example without permission
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


class UpconvError(Exception):
    """The base class of every error that upconv raises on purpose."""


class ModelError(UpconvError):
    """The model file cannot be used."""


class ContractError(ModelError):
    """The model file has no contract that this version can read."""


class OutOfMemoryError(ModelError):
    """The model needs more memory than is free."""


class ProviderError(UpconvError):
    """The execution provider is not available on this machine."""


class ImageError(UpconvError):
    """The picture cannot be read or written."""


class ImageTooLargeError(ImageError):
    """The picture has more pixels than the limit allows."""


class OutputError(UpconvError):
    """The result cannot be written to its destination."""


class DiskFullError(OutputError):
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


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
