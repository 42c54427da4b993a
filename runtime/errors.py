"""What can go wrong, and whose fault it is.

UpconvError
 ├─ ModelError          the .onnx file: missing, damaged, without a contract, or wrong about itself
 │   ├─ ContractError       its contract is missing, malformed or of a later version
 │   └─ OutOfMemoryError    it needs more memory than there is
 ├─ ProviderError       the execution provider that was asked for is not there
 ├─ ImageError          the picture: not an image, damaged, of a format that is not read
 │   └─ ImageTooLargeError  more pixels than allowed, known from its header
 ├─ OutputError         the result cannot be written: no right, no such folder
 │   └─ DiskFullError       there is no room, for this result or any other
 ├─ ParameterError      what was asked for: a scale of 0, an unknown format
 ├─ SourceError         what is to be exported: no such file, factory or weights
 ├─ ExportError         the export: a stage that cannot go on, a result that does not match
 ├─ Cancelled           the work was called off
 └─ Overloaded          too much work is waiting
     └─ TimedOut            it waited, or was computed, past its deadline

Every message is one sentence that says what was expected, what came, and what to do.
"""

from __future__ import annotations


class UpconvError(Exception):
    """The base of every error that a user can do something about."""


class ModelError(UpconvError):
    """The model file cannot be used."""


class ContractError(ModelError):
    """The model file does not describe itself in a way this version reads."""


class OutOfMemoryError(ModelError):
    """The model needs more memory than there is."""


class ProviderError(UpconvError):
    """The execution provider that was asked for cannot run here."""


class ImageError(UpconvError):
    """The picture cannot be read or written."""


class ImageTooLargeError(ImageError):
    """The picture has more pixels than the limit allows."""


class OutputError(UpconvError):
    """The result cannot be written where it should go."""


class DiskFullError(OutputError):
    """There is no room left for any result."""


class ParameterError(UpconvError):
    """A parameter of the request makes no sense."""


class SourceError(UpconvError):
    """What was to be exported cannot be found or loaded."""


class ExportError(UpconvError):
    """The export failed, and wrote nothing."""


class Cancelled(UpconvError):
    """The caller no longer wants the result."""


class Overloaded(UpconvError):
    """The engine has more waiting work than it accepts."""


class TimedOut(Overloaded):
    """The result did not come before its deadline."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
