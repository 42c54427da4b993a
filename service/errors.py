"""Every error of the service, and the one table from errors to HTTP status codes.

UpconvError
 ├─ ImageError
 │   ├─ NotAnImageError     the body is no image of a format that is read
 │   ├─ BodyTooLargeError   the body has more bytes than allowed
 │   └─ TooLongError        the picture would take longer than a request may
 ├─ ParameterError
 │   ├─ UnknownModelError   no loaded model has this name
 │   ├─ MediaTypeError      the Content-Type cannot hold a picture
 │   ├─ KeyRequiredError    the request has no API key, or an unknown one
 │   ├─ ForbiddenError      the API key is not an admin's
 │   ├─ UnknownJobError     no job has this id
 │   ├─ NotDoneError        the job has no result
 │   ├─ KeyReusedError      the idempotency key belongs to another request
 │   ├─ TensorError         the tensors do not fit: names, shapes, datatypes, lengths, values
 │   └─ UnsupportedError    this part of the inference protocol is not served
 ├─ Cancelled
 │   ├─ ClientGoneError     the client closed the connection
 │   └─ SlowBodyError       the body did not arrive in time
 └─ Overloaded
     ├─ RetryLaterError     the error states when to retry
     │   ├─ AdmissionFullError  admission has no room for another picture
     │   └─ RateLimitError      the client sends too many requests
     └─ DeadlineError       the answer was not ready in time
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from upconv.runtime.errors import (
    Cancelled,
    DiskFullError,
    ImageError,
    ImageTooLargeError,
    ModelError,
    OutOfMemoryError,
    Overloaded,
    ParameterError,
    TimedOut,
)


class NotAnImageError(ImageError):
    """Raised if the body is not an image of a supported format."""


class BodyTooLargeError(ImageError):
    """Raised if the body has more bytes than the limit."""


class TooLongError(ImageError):
    """Raised if the picture would take longer than a request may."""


class UnknownModelError(ParameterError):
    """Raised if no loaded model has the requested name."""


class MediaTypeError(ParameterError):
    """Raised if the body's Content-Type cannot be that of a picture."""


class KeyRequiredError(ParameterError):
    """Raised if the request has no API key, or an unknown one."""


class ForbiddenError(ParameterError):
    """Raised if the request's API key is not an admin's."""


class UnknownJobError(ParameterError):
    """Raised if no job has the requested id."""


class NotDoneError(ParameterError):
    """Raised if the job has no result, or not yet."""


class KeyReusedError(ParameterError):
    """Raised if the idempotency key belongs to another picture or other parameters."""


class TensorError(ParameterError):
    """Raised if the tensors of an inference request do not match the model."""


class UnsupportedError(ParameterError):
    """Raised for a part of the inference protocol that this service does not support."""


class ClientGoneError(Cancelled):
    """Raised if the client closed the connection before the answer."""


class SlowBodyError(Cancelled):
    """Raised if the body did not arrive in time."""


class RetryLaterError(Overloaded):
    """Raised if a later attempt may succeed, at a time that is known."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds until the next attempt."""


class AdmissionFullError(RetryLaterError):
    """Raised if admission has no room for another request."""


class RateLimitError(RetryLaterError):
    """Raised if a client sends too many requests."""


class DeadlineError(Overloaded):
    """Raised if the answer is not ready within the time of the request."""


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem, as RFC 9457 defines it."""

    status: int
    slug: str
    """The last part of the problem's type."""
    title: str
    """The title, always the same for one kind."""


UNEXPECTED = ProblemKind(500, "internal", "Something went wrong in the service")

KINDS: dict[type[Exception], ProblemKind] = {
    BodyTooLargeError: ProblemKind(413, "too-many-bytes", "The file is too large"),
    ImageTooLargeError: ProblemKind(413, "too-many-pixels", "The picture is too large"),
    TooLongError: ProblemKind(413, "too-long", "The picture would take too long"),
    NotAnImageError: ProblemKind(415, "not-an-image", "The file is not an image that can be read"),
    MediaTypeError: ProblemKind(415, "not-a-picture-type", "The content type is not one of a picture"),
    ImageError: ProblemKind(422, "damaged-image", "The image cannot be read or written"),
    UnknownModelError: ProblemKind(404, "unknown-model", "There is no such model"),
    ParameterError: ProblemKind(422, "bad-parameter", "A parameter makes no sense"),
    RequestValidationError: ProblemKind(422, "bad-parameter", "A parameter makes no sense"),
    UnknownJobError: ProblemKind(404, "unknown-job", "There is no such job"),
    NotDoneError: ProblemKind(409, "no-result", "The job has no result"),
    KeyReusedError: ProblemKind(409, "idempotency-key-reused", "The idempotency key belongs to another request"),
    KeyRequiredError: ProblemKind(401, "key-required", "An API key is needed"),
    ForbiddenError: ProblemKind(403, "forbidden", "This needs the admin key"),
    SlowBodyError: ProblemKind(408, "slow-body", "The file took too long to arrive"),
    ClientGoneError: ProblemKind(499, "client-gone", "The client closed the connection"),
    ClientDisconnect: ProblemKind(499, "client-gone", "The client closed the connection"),
    Cancelled: ProblemKind(503, "stopping", "The service is stopping"),
    CancelledError: ProblemKind(503, "stopping", "The service is stopping"),
    UnsupportedError: ProblemKind(501, "unsupported", "This part of the protocol is not served"),
    RateLimitError: ProblemKind(429, "too-many-requests", "Too many requests"),
    DeadlineError: ProblemKind(503, "deadline", "The answer was not ready in time"),
    TimedOut: ProblemKind(503, "deadline", "The answer was not ready in time"),
    OutOfMemoryError: ProblemKind(503, "no-memory", "The service has too little memory at the moment"),
    DiskFullError: ProblemKind(503, "no-room", "The service has no room on its disk at the moment"),
    Overloaded: ProblemKind(503, "full", "The service is busy"),
    ModelError: ProblemKind(500, "model-failed", "The model failed"),
}


def problem_kind(error: Exception) -> ProblemKind:
    """Return the kind of problem of an error, by its nearest class in `KINDS`."""
    return next((KINDS[kind] for kind in type(error).__mro__ if kind in KINDS), UNEXPECTED)
