"""HEAD for every route that has GET."""

from __future__ import annotations

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware that answers HEAD as GET, without the body: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2.

    The app stops at the first bytes of a body, because a stream of events has no end and a result may be large.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as app:

            async def send_head(message: Message) -> None:
                if message["type"] == "http.response.body":
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    app.cancel()
                else:
                    await send(message)

            inner = {**scope, "method": "GET"}
            try:
                await self._app(inner, receive, send_head)
            finally:
                scope.update({name: inner[name] for name in ("route",) if name in inner})  # for the request log
