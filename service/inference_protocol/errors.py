"""What can be wrong with an inference request.

ParameterError
 ├─ TensorError          the request's tensors: names, shapes, datatypes, lengths, values
 └─ UnsupportedError     a part of the protocol that is not served here
"""

from __future__ import annotations

from upconv.runtime.errors import ParameterError


class TensorError(ParameterError):
    """The request's tensors are not what the model takes."""


class UnsupportedError(ParameterError):
    """A part of the protocol that this service does not have."""
