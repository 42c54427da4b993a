"""The way of tiles over a deployment handle of Ray Serve."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ray.exceptions import RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import first_line
from upconv.runtime.remote.faults import BusyFault, EndpointFault

LOOK_S = 0.5
"""Seconds after which a cancellation takes effect if the replica does not confirm it, because it is stopped."""


class HandleTransport:
    """A deployment handle. Ray chooses the replica, and does not send a tile to one that is full."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def call(self, method: str, arguments: Sequence[Any], timeout_s: float, cancellation: Cancellation) -> Any:
        """Return the result of a method; see `TileTransport.call`."""
        ends = time.monotonic() + timeout_s
        response = getattr(self._handle, method).remote(*arguments)
        try:
            with cancellation.calling(response.cancel):
                while True:
                    try:
                        return response.result(timeout_s=max(0.0, min(LOOK_S, ends - time.monotonic())))
                    except TimeoutError as error:  # also Ray's own
                        cancellation.check()
                        if time.monotonic() >= ends:
                            response.cancel()
                            raise EndpointFault(f"does not answer within {timeout_s:.3g} s") from error
        except BackPressureError as error:
            raise BusyFault("takes no more tiles") from error
        except DeploymentUnavailableError as error:
            raise EndpointFault(f"cannot be started: {first_line(error)}") from error
        except TaskCancelledError as error:
            cancellation.check()
            raise EndpointFault("stopped the tile") from error
        except RayTaskError as error:
            raise error.cause from None  # the error of the method
        except RayError as error:
            cancellation.check()
            raise EndpointFault(f"ended: {first_line(error)}") from error
