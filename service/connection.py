"""Work that is called off when the client goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread
from fastapi import Request

from upconv.runtime.errors import Cancelled
from upconv.service.errors import ClientGoneError

T = TypeVar("T")


async def run_while_connected(request: Request, work: Callable[[threading.Event], T], limiter: anyio.CapacityLimiter) -> T:
    """What `work` returns, computed in a thread of `limiter`; the request's body must have been read.

    When the client closes the connection, work that waits for a thread is dropped and the event given to running work is set;
    either raises `ClientGoneError`. The event is set as well when the task is cancelled.
    """
    called_off = threading.Event()
    with anyio.CancelScope() as scope:
        watch = asyncio.create_task(_call_off_when_gone(request, called_off, scope))
        try:
            return await to_thread.run_sync(work, called_off, limiter=limiter)
        except Cancelled as error:
            if scope.cancel_called:
                raise ClientGoneError("the client closed the connection") from error
            raise
        finally:
            called_off.set()
            watch.cancel()
    raise ClientGoneError("the client closed the connection")


async def _call_off_when_gone(request: Request, called_off: threading.Event, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    called_off.set()
    scope.cancel()
