"""Responses that are sent in chunks and release their ticket at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

from upconv.service.admission import Ticket

_CHUNK_BYTES = 1 << 18


class PictureResponse(Response):
    """A response that is sent in chunks, so that a slow client does not fill a buffer.

    `release` is called when the last chunk is sent, or when sending stops early. The connection ends if its client is too slow;
    sending stops if others need the memory of the result for long.
    """

    def __init__(self, data: bytes, headers: Mapping[str, str], ticket: Ticket, release: Callable[[], object]) -> None:
        super().__init__(headers={**headers, "Content-Length": str(len(data))})
        self._data, self._ticket, self._release = data, ticket, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            with anyio.CancelScope() as sending, self._ticket.sending(len(self._data), sending.cancel):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                for start in range(0, max(len(self._data), 1), _CHUNK_BYTES):
                    chunk, more = self._data[start : start + _CHUNK_BYTES], start + _CHUNK_BYTES < len(self._data)
                    await send({"type": "http.response.body", "body": chunk, "more_body": more})
        finally:
            self._release()
