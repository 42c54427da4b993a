"""The dependencies of routes: the state of the app and the deadline of the request."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Header, Request

from upconv.service.state import ServiceState


def _state(request: Request) -> ServiceState:
    state: ServiceState = request.app.state.upconv
    return state


Shared = Annotated[ServiceState, Depends(_state)]
"""The state of the app, as a parameter of a route."""


async def _until(
    state: Shared,
    x_upconv_timeout: Annotated[
        float | None,
        Header(
            ge=1,
            le=86400,
            allow_inf_nan=False,
            description="seconds after which the request is cancelled; the limit of the service is the maximum",
        ),
    ] = None,
) -> float:
    own_s = state.settings.deadline_s
    return asyncio.get_running_loop().time() + min(x_upconv_timeout or own_s, own_s)


Until = Annotated[float, Depends(_until)]
"""The deadline of the request: a time of the event loop, in seconds."""
