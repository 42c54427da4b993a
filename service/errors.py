"""What can go wrong over HTTP, and the one table from errors to status codes.

UpconvError
 ├─ ImageError
 │   ├─ NotAnImageError         the body is no image of a format that is read
 │   └─ BodyTooLargeError       more bytes than allowed
 ├─ ParameterError
 │   ├─ UnknownModelError       no loaded model has this name
 │   └─ MediaTypeError          a Content-Type that cannot hold a picture
 ├─ Cancelled
 │   ├─ ClientGoneError         the client closed the connection
 │   └─ SlowBodyError           the body did not arrive in time
 └─ Overloaded
     └─ FullError               all places are taken; says when to come back
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from upconv.runtime.errors import Cancelled, ImageError, ImageTooLargeError, ModelError, Overloaded, ParameterError
from upconv.service.inference_protocol.errors import UnsupportedError


class NotAnImageError(ImageError):
    """The body is no image of a format that is read."""


class BodyTooLargeError(ImageError):
    """The body has more bytes than the limit allows."""


class UnknownModelError(ParameterError):
    """No loaded model has the name that was asked for."""


class MediaTypeError(ParameterError):
    """The body's Content-Type cannot hold a picture."""


class ClientGoneError(Cancelled):
    """The client closed the connection before the answer."""


class SlowBodyError(Cancelled):
    """The body did not arrive in time."""


class FullError(Overloaded):
    """All places are taken."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds until a place should be free."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem, as RFC 9457 understands it."""

    status: int
    slug: str
    """The last part of its type."""
    title: str
    """The same words each time."""


UNEXPECTED = Kind(500, "internal", "Something went wrong in the service")

KINDS: dict[type[Exception], Kind] = {
    BodyTooLargeError: Kind(413, "too-many-bytes", "The file is too large"),
    ImageTooLargeError: Kind(413, "too-many-pixels", "The picture is too large"),
    NotAnImageError: Kind(415, "not-an-image", "The file is not an image that can be read"),
    MediaTypeError: Kind(415, "not-a-picture-type", "The content type is not one of a picture"),
    ImageError: Kind(422, "damaged-image", "The image cannot be read or written"),
    UnknownModelError: Kind(404, "unknown-model", "There is no such model"),
    ParameterError: Kind(422, "bad-parameter", "A parameter makes no sense"),
    RequestValidationError: Kind(422, "bad-parameter", "A parameter makes no sense"),
    SlowBodyError: Kind(408, "slow-body", "The file took too long to arrive"),
    ClientGoneError: Kind(499, "client-gone", "The client closed the connection"),
    ClientDisconnect: Kind(499, "client-gone", "The client closed the connection"),
    Cancelled: Kind(503, "stopping", "The service is stopping"),
    CancelledError: Kind(503, "stopping", "The service is stopping"),
    UnsupportedError: Kind(501, "unsupported", "This part of the protocol is not served"),
    Overloaded: Kind(503, "full", "The service is busy"),
    ModelError: Kind(500, "model-failed", "The model failed"),
}


def kind_of(error: Exception) -> Kind:
    """The kind of problem that an error is, by its nearest class in `KINDS`."""
    return next((KINDS[kind] for kind in type(error).__mro__ if kind in KINDS), UNEXPECTED)
