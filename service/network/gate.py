"""The routes that a connection may use: all, or those for operating the service."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from upconv.service import problem
from upconv.service.errors import CrowdedError, problem_kind

METRICS = "/metrics"
OPERATION = frozenset({"/healthz", "/readyz", METRICS})
"""The routes that are answered under any count of connections, and on the port of `--admin-port`."""


class Gate:
    """ASGI middleware that answers only the routes for operating the service, where the others have no place.

    With an own port for them, /metrics is served there only, because it is meant for the operator. /healthz and /readyz are
    served on both, because load balancers ask them on the port that they balance.
    """

    def __init__(self, app: ASGIApp, admin_port: bool) -> None:
        self._app, self._admin_port = app, admin_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        state, path = scope.get("state", {}), scope.get("path", "")
        admin = state.get("admin", False)
        if admin and path not in OPERATION:
            detail = f"there is no such route on this port; it has {', '.join(sorted(OPERATION))}"
        elif self._admin_port and not admin and path == METRICS:
            detail = "there is no route /metrics on this port; it is on the port of --admin-port"
        elif state.get("crowded") and path not in OPERATION:
            error = CrowdedError("too many connections are open; close some, or try again in a moment")
            state["error"] = error
            await problem.answer(path, problem_kind(error), str(error), problem.headers_of(error))(scope, receive, send)
            return
        else:
            await self._app(scope, receive, send)
            return
        await problem.answer(path, problem.of_status(404), detail)(scope, receive, send)
