"""All errors of the service, and the table from errors to HTTP status codes.

UpconvError
 ├─ ImageError
 │   ├─ NotAnImageError     the body is not an image of a known format
 │   ├─ BodyTooLargeError   the body has more bytes than the limit
 │   └─ TooLongError        the picture would take longer than a request is allowed
 ├─ ParameterError
 │   ├─ UnknownModelError   no loaded model has this name
 │   ├─ RefusedModelError   the model cannot be loaded or unloaded
 │   ├─ ModelFileChangedError  the file of a model is no longer the one that was loaded
 │   ├─ MediaTypeError      the Content-Type cannot hold a picture
 │   ├─ KeyRequiredError    the request has no API key, or an unknown key
 │   ├─ ForbiddenError      the API key does not allow this
 │   ├─ SignatureError      the signature of a URL is wrong
 │   ├─ UnknownJobError     no job has this id
 │   ├─ NotDoneError        the job has no result
 │   ├─ NotRetriableError   the job cannot be queued again
 │   ├─ KeyReusedError      the idempotency key belongs to another request
 │   ├─ TensorError         the tensors do not fit: names, shapes, datatypes, lengths, values
 │   └─ UnsupportedError    this part of the inference protocol is not served
 ├─ SourceFetchError        the picture of a signed URL cannot be fetched
 ├─ Cancelled
 │   ├─ ClientGoneError     the client closed the connection
 │   └─ SlowBodyError       the body did not arrive in time
 └─ Overloaded
     ├─ RetryLaterError     the error states when to retry
     │   ├─ AdmissionFullError  a limit of admission is reached
     │   ├─ StorageError        the database of jobs cannot be used at the moment
     │   └─ RateLimitError      this client sends too many requests
     ├─ CrowdedError        too many connections are open
     └─ DeadlineError       the response was not ready in time
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from upconv.runtime.errors import (
    Cancelled,
    DeviceLostError,
    DiskFullError,
    ImageError,
    ImageTooLargeError,
    MachineError,
    ModelError,
    NoEndpointError,
    OutOfMemoryError,
    OutputError,
    Overloaded,
    ParameterError,
    TimedOut,
    UpconvError,
    machine_error,
)


class NotAnImageError(ImageError):
    """The body is not an image of a known format."""


class BodyTooLargeError(ImageError):
    """Raised if the body has more bytes than the limit."""


class TooLongError(ImageError):
    """The picture would take longer than a request is allowed."""


class UnknownModelError(ParameterError):
    """No loaded model has the requested name."""


class RefusedModelError(ParameterError):
    """The model cannot be loaded, because its file cannot be used, or unloaded, because it is the last one."""


class ModelFileChangedError(ParameterError):
    """The file of a loaded model is no longer the one that was loaded."""


class MediaTypeError(ParameterError):
    """Raised if the body's Content-Type cannot be that of a picture."""


class KeyRequiredError(ParameterError):
    """The request has no API key, or an unknown key."""


class ForbiddenError(ParameterError):
    """The API key of the request does not have the scope of the route, or the operator has switched the route off."""


class SignatureError(ParameterError):
    """The signature of a URL is not that of its path."""


class UnknownJobError(ParameterError):
    """No job has the requested id."""


class NotDoneError(ParameterError):
    """The job failed, or has no result yet."""


class NotRetriableError(ParameterError):
    """Raised if a job cannot be queued again: it did not fail, or its picture is gone."""


class KeyReusedError(ParameterError):
    """The idempotency key was used before with another picture or other parameters."""


class TensorError(ParameterError):
    """The tensors of an inference request do not fit the inputs of the model."""


class UnsupportedError(ParameterError):
    """The request uses a part of the inference protocol that this service does not support."""


class SourceFetchError(UpconvError):
    """The picture of a signed URL cannot be fetched."""


class ClientGoneError(Cancelled):
    """The client closed the connection before the response."""


class SlowBodyError(Cancelled):
    """Raised if the body did not arrive in time."""


class RetryLaterError(Overloaded):
    """The request can be retried after a known time."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds until a retry can succeed."""


class AdmissionFullError(RetryLaterError):
    """A limit of admission is reached."""


class StorageError(RetryLaterError):
    """The database of jobs cannot be used at the moment."""


class RateLimitError(RetryLaterError):
    """This client sends too many requests."""


class CrowdedError(Overloaded):
    """Too many connections are open, of this client or of all."""


class DeadlineError(Overloaded):
    """The response was not ready before the deadline of the request."""


@dataclass(frozen=True)
class ProblemKind:
    """A problem type of RFC 9457."""

    status: int
    slug: str
    """The last part of the type URI."""
    title: str
    """The title, the same for every problem of this kind."""

    @property
    def passing(self) -> bool:
        """True if the same request can succeed later, because the cause is the service's state and not the request."""
        return self.status in (429, 503)


UNEXPECTED = ProblemKind(500, "internal", "The service failed unexpectedly")

KINDS: dict[type[Exception], ProblemKind] = {
    BodyTooLargeError: ProblemKind(413, "too-many-bytes", "The file is too large"),
    ImageTooLargeError: ProblemKind(413, "too-many-pixels", "The picture is too large"),
    TooLongError: ProblemKind(413, "too-long", "The picture would take too long"),
    NotAnImageError: ProblemKind(415, "not-an-image", "The file is not an image that can be read"),
    MediaTypeError: ProblemKind(415, "not-a-picture-type", "The content type is not a picture type"),
    ImageError: ProblemKind(422, "damaged-image", "The image cannot be read or written"),
    UnknownModelError: ProblemKind(404, "unknown-model", "The model does not exist"),
    RefusedModelError: ProblemKind(422, "refused-model", "The model cannot be loaded or unloaded"),
    ModelFileChangedError: ProblemKind(409, "model-changed", "The model file has changed"),
    ParameterError: ProblemKind(422, "bad-parameter", "A parameter is invalid"),
    RequestValidationError: ProblemKind(422, "bad-parameter", "A parameter is invalid"),
    UnknownJobError: ProblemKind(404, "unknown-job", "The job does not exist"),
    NotDoneError: ProblemKind(409, "no-result", "The job has no result"),
    NotRetriableError: ProblemKind(409, "not-retriable", "The job cannot be tried again"),
    KeyReusedError: ProblemKind(409, "idempotency-key-reused", "The idempotency key belongs to another request"),
    KeyRequiredError: ProblemKind(401, "key-required", "A valid API key is required"),
    ForbiddenError: ProblemKind(403, "forbidden", "This is not allowed"),
    SignatureError: ProblemKind(403, "bad-signature", "The signature of the URL is wrong"),
    SourceFetchError: ProblemKind(502, "source-failed", "The picture cannot be fetched"),
    SlowBodyError: ProblemKind(408, "slow-body", "The file took too long to arrive"),
    ClientGoneError: ProblemKind(499, "client-gone", "The client closed the connection"),
    ClientDisconnect: ProblemKind(499, "client-gone", "The client closed the connection"),
    Cancelled: ProblemKind(503, "stopping", "The service is stopping"),
    CancelledError: ProblemKind(503, "stopping", "The service is stopping"),
    UnsupportedError: ProblemKind(501, "unsupported", "This part of the protocol is not supported"),
    RateLimitError: ProblemKind(429, "too-many-requests", "Too many requests"),
    StorageError: ProblemKind(503, "no-storage", "Jobs cannot be stored at the moment"),
    DeadlineError: ProblemKind(503, "deadline", "The response was not ready in time"),
    TimedOut: ProblemKind(503, "deadline", "The response was not ready in time"),
    OutOfMemoryError: ProblemKind(503, "no-memory", "The service is out of memory at the moment"),
    DiskFullError: ProblemKind(503, "no-room", "The disk of the service is full at the moment"),
    CrowdedError: ProblemKind(503, "too-many-connections", "Too many connections are open"),
    OutputError: ProblemKind(503, "no-disk", "The service cannot write to its disk at the moment"),
    MachineError: ProblemKind(503, "no-resources", "The service has no threads or files left at the moment"),
    Overloaded: ProblemKind(503, "full", "The service is busy"),
    DeviceLostError: ProblemKind(503, "device-lost", "The device of the model does not answer"),
    NoEndpointError: ProblemKind(503, "no-endpoint", "No server that computes tiles answers"),
    ModelError: ProblemKind(500, "model-failed", "The model failed"),
}


def known(error: Exception) -> Exception:
    """Return the error of `KINDS` that an error stands for.

    It is the error itself, or a `MachineError` if Python or a library raised the error because the machine lacks something.
    """
    return machine_error(error) or error


def problem_kind(error: Exception) -> ProblemKind:
    """Return the kind of problem of an error: the entry of the nearest base class of `known(error)` in `KINDS`."""
    return next((KINDS[kind] for kind in type(known(error)).__mro__ if kind in KINDS), UNEXPECTED)
