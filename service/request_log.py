"""The request log: one line and one count per request.

It also sets the request id and the security headers of each response.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upconv.runtime.errors import Overloaded
from upconv.service import problem
from upconv.service.errors import problem_kind
from upconv.service.metrics import Metrics

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every response. The page runs only scripts of this service, and no page may frame it."""

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes whose requests are logged at debug: they come every few seconds."""

LONGEST = 200
"""Characters of a path and of a query in the log; more are cut."""

_LOOKED_AT = 1000
"""Characters in which keys are looked for."""
_SECRET = frozenset({"result_url", "webhook"})
"""Parameters of a query whose values are not logged."""
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """ASGI middleware around the whole app. It turns an uncaught error into a 500 without internal detail."""

    def __init__(self, app: ASGIApp, log: Any, metrics: Metrics, conceal: Callable[[str], str] = str) -> None:
        """`conceal` removes keys from a text. Some clients send theirs in the path or in the query by mistake."""
        self._app, self._log, self._metrics, self._conceal = app, log, metrics, conceal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(receive, send, _request_id(scope))
        started = time.perf_counter()
        error: Exception | None = None
        try:
            await self._app(scope, answer.receive, answer.send)
        except Exception as unexpected:
            error = unexpected
            if not answer.status:
                await problem.unexpected(scope["path"], unexpected)(scope, receive, answer.send)
        except asyncio.CancelledError:
            # The time to drain has passed. If this were raised again, the client would get an empty 500.
            if not answer.status:
                await problem.stopping(scope["path"])(scope, receive, answer.send)
        finally:
            self._write(scope, answer, time.perf_counter() - started, error or scope.get("state", {}).get("error"))

    def _write(self, scope: Scope, answer: _Answer, seconds: float, error: Exception | None) -> None:
        route, kind = _route(scope), problem_kind(error) if error else None
        self._metrics.answered(route, scope["method"], answer.status, answer.model, seconds)
        if kind is not None:
            self._metrics.refused(kind.slug, kind.status)
        fields = {
            "request_id": answer.request_id,
            "method": scope["method"],
            "path": self._shown(scope["path"]),
            **_optional("query", self._shown(_query(scope.get("query_string", b"").decode("latin-1")))),
            **_optional("model", answer.model),
            **_client(scope),
            "status": answer.status,
            "ms": round(seconds * 1000, 1),
            "bytes_in": answer.bytes_in,
            "bytes_out": answer.bytes_out,
        }
        if answer.status >= 500 and error is not None and not isinstance(error, Overloaded):
            self._log.error("request", **fields, exc_info=error)
        else:
            write = self._log.debug if route in PROBES else self._log.info
            write("request", **fields, **({"error": self._conceal(str(error))} if error else {}))

    def _shown(self, text: str) -> str:
        return _cut(self._conceal(text[:_LOOKED_AT]))


class _Answer:
    """A request and its response, which are counted, with the headers of every response added."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self.status = 0
        """Zero until the response has started."""
        self.request_id = request_id
        self.model = ""
        """The model that computed the response; empty if none did."""
        self.bytes_in = 0
        self.bytes_out = 0
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            self.model = headers.get("X-Upconv-Model", "")
            headers["X-Request-Id"] = self.request_id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        self.bytes_out += len(message.get("body", b""))
        await self._send(message)


def _client(scope: Scope) -> dict[str, str]:
    """Return the address of the client and the name of its API key, as fields of the log."""
    key, address = scope.get("state", {}).get("key"), scope.get("client")
    return {**_optional("client", address[0] if address else ""), **_optional("key", key.name if key else "")}


def _optional(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}


def _query(text: str) -> str:
    """Return a query without the values that let their holder act for somebody, such as a presigned URL."""
    parts = (part.partition("=") for part in text.split("&"))
    return "&".join(f"{name}=…" if unquote_plus(name) in _SECRET else f"{name}{equals}{value}" for name, equals, value in parts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """Return the path of the route as declared, because the number of metric labels must be bounded."""
    return getattr(scope.get("route"), "path", None) or "unknown"
