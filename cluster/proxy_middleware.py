"""Middleware of Ray's HTTP proxies.

A request whose ingress replica ended gets 503, so that its client tries again: Ray's proxy would leave it to uvicorn, which answers
500. What Ray's proxy refuses itself becomes a problem of RFC 9457, as all refusals of the service are. Uploads are bounded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upconv.cluster.upload_memory import SMALL_BYTES, ReturnedMemory, UploadTurns, upload_bytes

RETRY_AFTER_S = "2"
"""Seconds after which another replica is likely to be there."""
TURN_S = 10.0
"""Most seconds for which an upload waits for its turn."""
_BYTES = "UPCONV_MAX_WAITING_BYTES"
_DEFAULT_BYTES = 256 * 2**20
_ID = b"x-request-id"
_PROBLEMS = {
    429: ("too-many-requests", "Too many requests", "too many requests are waiting; try again in {} s"),
    503: ("full", "The service is busy", "the service cannot take this request at the moment; try again in {} s"),
}
_ENDED = ("stopping", "The service is stopping", "the process that had this request ended; try again in {} s")
_CROWDED = ("full", "The service is busy", "too many bytes of pictures are being received; try again in {} s")


class ProxyAnswers:
    """ASGI middleware that gives each request an answer of the service."""

    def __init__(self, app: ASGIApp, turns: UploadTurns) -> None:
        self._app, self._turns = app, turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes = upload_bytes(scope, self._turns.bytes)
        if bytes <= SMALL_BYTES:
            await self._answer(scope, receive, send)
            return
        try:
            async with self._turns.turn(bytes):
                await self._answer(scope, receive, send)
        except TimeoutError:
            await _problem(send, 503, _CROWDED)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = replaced = False

        async def checked(message: Message) -> None:
            nonlocal begun, replaced
            if message["type"] == "http.response.start":
                begun, headers = True, Headers(raw=message["headers"])
                replaced = message["status"] in _PROBLEMS and headers.get("content-type", "").startswith("text/plain")
                if replaced:  # Ray's own refusal
                    await _problem(send, message["status"], retry_after=headers.get("retry-after", RETRY_AFTER_S))
                message = {**message, "headers": _once(message["headers"])}
            if not replaced:
                await send(message)

        await self._app(scope, receive, checked)
        if not begun:
            await _problem(send, 503, _ENDED)


def _once(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers with one X-Request-Id: the service and Ray's proxy both add it."""
    given = list(headers)
    ids = [header for header in given if header[0].lower() == _ID]
    return [*(header for header in given if header[0].lower() != _ID), *ids[:1]]


async def _problem(
    send: Send, status: int, words: tuple[str, str, str] | None = None, retry_after: str = RETRY_AFTER_S
) -> None:
    slug, title, detail = words or _PROBLEMS[status]
    body = json.dumps(
        {"type": f"/docs#{slug}", "title": title, "status": status, "detail": detail.format(retry_after)}
    ).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", retry_after.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def proxy_middleware() -> list[Any]:
    """Return the middleware of a proxy. Ray calls it by its name in `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`.

    The bytes of uploads are bounded by `UPCONV_MAX_WAITING_BYTES`, by default 256 MiB.
    """
    turns = UploadTurns(int(os.environ.get(_BYTES, _DEFAULT_BYTES)), TURN_S)
    return [Middleware(ProxyAnswers, turns=turns), Middleware(ReturnedMemory)]
