"""Middleware of Ray's HTTP proxies: a request whose ingress replica ended gets 503, so that its client tries again.

Ray's proxy would leave it to uvicorn, which answers 500 with a plain text.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_AFTER_S = 2
"""Seconds after which another replica is likely to be there."""
_PROBLEM = {
    "type": "/docs#stopping",
    "title": "The service is stopping",
    "status": 503,
    "detail": f"the process that had this request ended; try again in {RETRY_AFTER_S} s",
}


class AnswerAlways:
    """ASGI middleware that answers 503 if the app ends without an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        await self._app(scope, receive, noted)
        if scope["type"] == "http" and not begun:
            await _unavailable(send)


async def _unavailable(send: Send) -> None:
    body = json.dumps(_PROBLEM).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def proxy_middleware() -> list[Any]:
    """Return the middleware of a proxy. Ray calls it by its name in `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`."""
    return [Middleware(AnswerAlways)]
