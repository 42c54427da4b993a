"""Work that is cancelled if the client disconnects or the deadline passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import anyio
from anyio import to_thread

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.service.errors import ClientGoneError, DeadlineError

T = TypeVar("T")


@dataclass(frozen=True)
class WorkSlot:
    """The threads, the memory and the deadline of a piece of work."""

    threads: anyio.CapacityLimiter
    room: AbstractAsyncContextManager[None]
    """Entered before a thread is requested."""
    until: float
    """Time of the event loop at which the work is cancelled, in seconds."""


class Connected(Protocol):
    """A request whose `receive` waits for the end of its connection, such as an HTTP request whose body was read."""

    @property
    def receive(self) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
        """The ASGI function that returns the next message of the client."""


async def run_while_connected(request: Connected, work: Callable[[Cancellation], T], slot: WorkSlot) -> T:
    """Run `work` in a thread and return its result. The body of the request must have been read.

    If the client disconnects or the deadline passes, waiting work is dropped and running work is cancelled by its
    `Cancellation`; this raises `ClientGoneError` or `DeadlineError`. Work is also cancelled if the task is cancelled.
    """
    abort = _Abort()
    with anyio.CancelScope() as scope:
        watch = asyncio.create_task(_abort_on_disconnect(request, abort, scope, slot.until))
        try:
            async with slot.room:
                return await to_thread.run_sync(work, abort.cancellation, limiter=slot.threads)
        except Cancelled as error:
            if scope.cancel_called:
                raise abort.error from error
            raise
        finally:
            abort.cancellation.cancel()
            watch.cancel()
    raise abort.error


class _Abort:
    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.error: Exception = ClientGoneError("the client closed the connection")


async def _abort_on_disconnect(request: Connected, abort: _Abort, scope: anyio.CancelScope, until: float) -> None:
    try:
        async with asyncio.timeout_at(until):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        abort.error = DeadlineError("the deadline of this request has passed; send long work to /v1/jobs")
    abort.cancellation.cancel()
    scope.cancel()
