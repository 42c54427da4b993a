"""Work that is cancelled when the client closes the connection, or when its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import to_thread
from fastapi import Request

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.service.errors import ClientGoneError, DeadlineError

T = TypeVar("T")


@dataclass(frozen=True)
class WorkSlot:
    """The resources that work waits for, and its deadline."""

    threads: anyio.CapacityLimiter
    room: AbstractAsyncContextManager[None]
    """Entered before a thread is requested."""
    until: float
    """The event loop's time after which the answer is useless."""


async def run_while_connected(request: Request, work: Callable[[Cancellation], T], turn: WorkSlot) -> T:
    """Return the result of `work`, computed in a thread. The request's body must be read before.

    If the client closes the connection, or the time is over, waiting work is dropped, and running work is cancelled through
    its `Cancellation`. This raises `ClientGoneError` or `DeadlineError`. Work is also cancelled if the task is cancelled.
    """
    called_off = _CalledOff()
    with anyio.CancelScope() as scope:
        watch = asyncio.create_task(_call_off(request, called_off, scope, turn.until))
        try:
            async with turn.room:
                return await to_thread.run_sync(work, called_off.cancellation, limiter=turn.threads)
        except Cancelled as error:
            if scope.cancel_called:
                raise called_off.error from error
            raise
        finally:
            called_off.cancellation.cancel()
            watch.cancel()
    raise called_off.error


class _CalledOff:
    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.error: Exception = ClientGoneError("the client closed the connection")


async def _call_off(request: Request, called_off: _CalledOff, scope: anyio.CancelScope, until: float) -> None:
    try:
        async with asyncio.timeout_at(until):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        called_off.error = DeadlineError("the time for this request is over; send long work to /v1/jobs")
    called_off.cancellation.cancel()
    scope.cancel()
