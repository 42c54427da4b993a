"""Answers that are sent piece by piece, and release their ticket when they are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

_STEP = 1 << 18


class PictureResponse(Response):
    """Bytes in pieces, so that a slow client fills no buffer; `release` is called when all is sent, or nothing more will be."""

    def __init__(self, data: bytes, headers: Mapping[str, str], release: Callable[[], object], piece_timeout_s: float) -> None:
        super().__init__(headers={**headers, "Content-Length": str(len(data))})
        self._data, self._release, self._piece_timeout_s = data, release, piece_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a client that takes no piece in time gets no more."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, max(len(self._data), 1), _STEP):
                piece, more = self._data[start : start + _STEP], start + _STEP < len(self._data)
                with anyio.move_on_after(self._piece_timeout_s) as slow:
                    await send({"type": "http.response.body", "body": piece, "more_body": more})
                if slow.cancelled_caught:
                    return
        finally:
            self._release()
