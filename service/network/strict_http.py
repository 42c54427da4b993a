"""HTTP/1.1 with the rules of RFC 9112 on framing that h11 leaves to its caller.

A request that two programs may frame differently lets a client hide a second request behind a proxy. Such requests are refused,
and the connection is closed: https://www.rfc-editor.org/rfc/rfc9112#section-6.1 and #section-11.2.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import h11

HEAD_BYTES = 32 * 1024
"""Most bytes of the head of a request."""


class StrictConnection(h11.Connection):
    """The server side of one connection. It counts the bytes sent, and reports each response that begins."""

    def __init__(self, on_response: Callable[[h11.Response], None]) -> None:
        super().__init__(h11.SERVER, HEAD_BYTES)
        self.sent_bytes = 0
        self.fault: h11.RemoteProtocolError | None = None
        """The reason why the request is refused. Nothing is read after it."""
        self._on_response = on_response

    def next_event(self) -> Any:
        """Return the next event, or `NEED_DATA` after a fault."""
        if self.fault is not None:
            return h11.NEED_DATA
        try:
            event = super().next_event()
            return _checked(event) if isinstance(event, h11.Request) else event
        except h11.RemoteProtocolError as fault:
            self.fault = fault
            return h11.NEED_DATA

    def send(self, event: Any) -> Any:
        """Return the bytes of an event, and count them."""
        data = super().send(event)
        self.sent_bytes += len(data or b"")
        if isinstance(event, h11.Response):
            self._on_response(event)
        return data


def _checked(request: h11.Request) -> h11.Request:
    names = {name for name, _ in request.headers}
    if request.http_version not in (b"1.0", b"1.1"):
        raise _fault("expected HTTP/1.1 or HTTP/1.0")
    if b"transfer-encoding" in names and b"content-length" in names:
        raise _fault("it has both Content-Length and Transfer-Encoding; send one of them")
    if b"transfer-encoding" in names and request.http_version == b"1.0":
        raise _fault("HTTP/1.0 has no Transfer-Encoding; send Content-Length")
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers) > HEAD_BYTES:
        raise _fault(f"its head has more than {HEAD_BYTES} bytes", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return request if request.target.startswith(b"/") else _with_path(request)


def _with_path(request: h11.Request) -> h11.Request:
    """Return the request with the path alone, if its target is a whole URL, which RFC 9112 requires servers to accept."""
    if not request.target.lower().startswith((b"http://", b"https://")):
        return request
    try:
        url = urlsplit(request.target)
    except ValueError as error:
        raise _fault("its target is not a URL") from error
    target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    return h11.Request(method=request.method, target=target, headers=request.headers, http_version=request.http_version)


def _fault(reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> h11.RemoteProtocolError:
    return h11.RemoteProtocolError(reason, error_status_hint=status)
