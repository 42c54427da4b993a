"""Requests under a path, such as those of a proxy that serves several programs on one host."""

from __future__ import annotations

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """ASGI middleware that removes a prefix from the path of a request, if the proxy has not removed it.

    The app, its guards included, sees the same paths with and without a proxy.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if path == self._prefix:
            await RedirectResponse(f"{path}/")(scope, receive, send)  # the links of the page are relative
            return
        if path.startswith(f"{self._prefix}/"):
            raw = scope.get("raw_path") or b""
            scope = {**scope, "path": path[len(self._prefix) :], "raw_path": raw[len(self._prefix.encode()) :]}
        await self._app(scope, receive, send)
