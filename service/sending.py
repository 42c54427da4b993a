"""Responses that are sent in chunks and release their ticket at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

_CHUNK_BYTES = 1 << 18


class PictureResponse(Response):
    """A response that is sent in chunks, so that a slow client does not fill a buffer.

    `release` is called when the last chunk is sent, or when sending stops early. If the client does not take a chunk within
    `chunk_timeout_s` seconds, sending stops.
    """

    def __init__(self, data: bytes, headers: Mapping[str, str], release: Callable[[], object], chunk_timeout_s: float) -> None:
        super().__init__(headers={**headers, "Content-Length": str(len(data))})
        self._data, self._release, self._chunk_timeout_s = data, release, chunk_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; stop if the client does not take a chunk in time."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, max(len(self._data), 1), _CHUNK_BYTES):
                chunk, more = self._data[start : start + _CHUNK_BYTES], start + _CHUNK_BYTES < len(self._data)
                with anyio.move_on_after(self._chunk_timeout_s) as slow:
                    await send({"type": "http.response.body", "body": chunk, "more_body": more})
                if slow.cancelled_caught:
                    return
        finally:
            self._release()
