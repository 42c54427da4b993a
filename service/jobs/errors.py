"""What can be wrong with a request about jobs.

ParameterError
 ├─ UnknownJobError     no job has this id
 ├─ NotDoneError        it has no result
 └─ KeyReusedError      its idempotency key belongs to another request
"""

from __future__ import annotations

from upconv.runtime.errors import ParameterError


class UnknownJobError(ParameterError):
    """No job has the id that was asked for."""


class NotDoneError(ParameterError):
    """The job has no result, or not yet."""


class KeyReusedError(ParameterError):
    """The idempotency key came with another picture or other parameters before."""
