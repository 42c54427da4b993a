"""The gRPC status of each error, from the one table of errors and HTTP statuses."""

from __future__ import annotations

import grpc

from upconv.service.errors import DeadlineError, SlowBodyError, problem_kind

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
}


def code_of(error: Exception) -> grpc.StatusCode:
    """Return the status code of an error; `INTERNAL` if it is not expected."""
    if isinstance(error, DeadlineError | SlowBodyError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return _CODES.get(problem_kind(error).status, grpc.StatusCode.INTERNAL)
