from __future__ import annotations

import grpc
import pytest

from upconv.runtime.errors import ModelError, Overloaded, ParameterError
from upconv.service.errors import (
    KINDS,
    DeadlineError,
    ForbiddenError,
    KeyRequiredError,
    RateLimitError,
    SlowBodyError,
    UnknownModelError,
    UnsupportedError,
)
from upconv.service.grpc_protocol.grpc_status import _CODES, code_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError("x"), "INVALID_ARGUMENT"),
        (UnknownModelError("x"), "NOT_FOUND"),
        (KeyRequiredError("x"), "UNAUTHENTICATED"),
        (ForbiddenError("x"), "PERMISSION_DENIED"),
        (RateLimitError("x", 1), "RESOURCE_EXHAUSTED"),
        (Overloaded("x"), "UNAVAILABLE"),
        (DeadlineError("x"), "DEADLINE_EXCEEDED"),
        (SlowBodyError("x"), "DEADLINE_EXCEEDED"),
        (UnsupportedError("x"), "UNIMPLEMENTED"),
        (ModelError("x"), "INTERNAL"),
        (ValueError("x"), "INTERNAL"),
    ],
)
def test_codes(error: Exception, code: str) -> None:
    assert code_of(error) is grpc.StatusCode[code]


def test_each_kind_of_problem_has_a_code() -> None:
    assert {kind.status for kind in KINDS.values()} - {500} <= set(_CODES)
