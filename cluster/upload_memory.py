"""Uploads in Ray's processes: their bytes are bounded, and their memory is returned.

Ray Serve reads the body of a request as fast as it arrives, into a queue of the proxy and then into one of the ingress replica, whether the
app wants it or not. Without a bound, uploads pile up there, and their memory stays with the processes (ray#52174).
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import AbstractAsyncContextManager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upconv.runtime.memory import release_free_memory
from upconv.service.ordered_bytes import OrderedBytes

SMALL_BYTES = 1 << 20
"""Bodies up to this size are neither counted nor waited for."""
_IDLE_S = 3.0


class UploadTurns(OrderedBytes):
    """The bytes of uploads that one process may hold. Uploads beyond them wait in order, unread. It belongs to one event loop."""

    def __init__(self, bytes: int, wait_s: float) -> None:
        """Allow `bytes`, and let an upload wait for `wait_s` seconds at most."""
        super().__init__(bytes)
        self._wait_s = wait_s

    def turn(self, bytes: int) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of an upload of so many bytes, and hold them in the context. Raises `TimeoutError`."""
        return self.hold(min(bytes, self.bytes), self._wait_s)


class ReturnedMemory:
    """ASGI middleware that returns the memory of large bodies to the system, some seconds after they were received."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            if received > SMALL_BYTES and not self._due:
                self._due = True
                asyncio.get_running_loop().call_later(_IDLE_S, self._begin)

    def _begin(self) -> None:
        self._due = False
        asyncio.get_running_loop().run_in_executor(None, _release)


def _release() -> None:
    gc.collect()  # requests are in circles of references, with their bodies
    release_free_memory()


def upload_bytes(scope: Scope, most: int) -> int:
    """Return the announced bytes of the body of a request, `most` if their number is not announced, or 0 if there is no body."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        return int(length)
    return most if "transfer-encoding" in headers else 0
