"""The faults of endpoints. These errors stay inside this folder: a tile that fails is computed elsewhere.

EndpointFault        the endpoint cannot be reached, or its answer ends early
 ├─ BusyFault            it says that it is busy
 ├─ DeniedFault          it does not give the model: there is none, or the key is wrong
 ├─ AnswerFault          it answered, but not with the output of the tile
 └─ RefusedFault         it serves another function, so it is not used at all
"""

from __future__ import annotations


class EndpointFault(Exception):
    """The endpoint cannot be reached, or its answer ends early. The message is the reason, without the endpoint."""


class BusyFault(EndpointFault):
    """The endpoint says that it is busy."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds until the endpoint wants the next request; 0 if it did not say."""


class DeniedFault(EndpointFault):
    """The endpoint does not give the model: there is none of this name, or the key is wrong."""


class AnswerFault(EndpointFault):
    """The endpoint answered, but not with the output of the tile.

    It gave another status, another shape, or values that are not finite.
    """


class RefusedFault(EndpointFault):
    """The endpoint serves another function than the local model."""
