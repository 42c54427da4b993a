"""One HTTP connection: uvicorn's, with deadlines, bounds and refusals that are problems."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from upconv.service import problem
from upconv.service.network.connection_table import ConnectionTable, Standing, plain_address
from upconv.service.network.strict_http import StrictConnection
from upconv.service.pace import Pace
from upconv.service.request_log import SECURITY_HEADERS

Refused = Callable[[int, str, str], None]
"""Called for a request that is refused before it reaches the app: the status, the reason, the address of the client."""

_STREAM = b"text/event-stream"
_NUMBERS = count()
_LAST_REQUEST_S = 1.0
"""How long a connection that is made while the server stops may take to send a request."""


@dataclass(frozen=True)
class ConnectionTerms:
    """The terms that all connections of a listener share."""

    table: ConnectionTable
    stall_s: float
    """Most seconds without a request, and the window of the lowest pace."""
    on_refused: Refused
    on_slow_reader: Callable[[str], None]
    """Called with the address of a client that is let go because it takes a response too slowly."""
    stopping: Callable[[], bool] = lambda: False
    """Return true if the server has begun to stop."""
    admin: bool = False
    """True if the listener is that of `--admin-port`."""


class HttpConnection(H11Protocol):
    """A connection that may be let go: while it waits, and if its client takes a response too slowly."""

    def __init__(self, terms: ConnectionTerms, config: uvicorn.Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, {"admin": terms.admin})
        self.conn: StrictConnection = StrictConnection(self._responds)
        self.number = next(_NUMBERS)
        """Counts the connections since the start."""
        self._terms = terms
        self._socket: asyncio.Transport | None = None
        """The transport below TLS, or the transport itself."""
        self._standing = Standing.IDLE
        self._waits_since = time.monotonic()
        self._head_begun = False
        self._late = False
        """True for a connection that is made while the server stops, until its time for a request is over."""
        self._pace = Pace(terms.stall_s)

    def accepted(self, transport: asyncio.Transport) -> None:
        """Count the connection, before TLS begins or, without TLS, when it is made."""
        self._socket = transport
        peer = transport.get_extra_info("peername")
        self._terms.table.add(self, plain_address(peer[0]) if isinstance(peer, tuple) else None)

    def gone(self) -> None:
        """Stop counting the connection. It may have ended before TLS began."""
        self._terms.table.remove(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to read requests."""
        super().connection_made(transport)
        if self.client is not None:
            self.client = (plain_address(self.client[0]), self.client[1])
        if self._socket is None:
            self.accepted(transport)
        if self._terms.stopping():
            # The server may have told its connections to end before it knew of this one, or tells them now, before the request is read.
            self._late = True
            self.loop.call_later(_LAST_REQUEST_S, self._end_late)

    def shutdown(self) -> None:
        """Close the connection after the request in work, or at once if there is none. A new one may send its request first."""
        if not self.transport.is_closing() and not (self._late and self._standing is Standing.IDLE):
            super().shutdown()

    def _end_late(self) -> None:
        self._late = False
        self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is in work for the connection."""
        super().connection_lost(exc)
        self.gone()

    def data_received(self, data: bytes) -> None:
        """Read what arrived, unless the connection is being closed after a refusal."""
        if self.conn.fault is not None:
            return
        if self._standing is Standing.IDLE and not self._head_begun:
            self._head_begun, self._waits_since = True, time.monotonic()
        self.app_state["crowded"] = self._terms.table.crowded(self)
        super().data_received(data)
        self._note()

    def handle_events(self) -> None:
        """Pass on the requests and bodies that have arrived; refuse what is not valid HTTP."""
        super().handle_events()
        if self.conn.fault is not None and not self.transport.is_closing():
            self._refuse(self.conn.fault)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._head_begun, self._waits_since = False, time.monotonic()
        super().on_response_complete()
        self._note()

    def check(self, now: float) -> None:
        """Let the connection go if its client has been too slow for too long."""
        waiting = self.transport.get_write_buffer_size() if self.transport is not None else 0
        if waiting:
            if self._pace.too_slow(now, self.conn.sent_bytes - waiting, waiting):
                self._terms.on_slow_reader(self._address)
                self.let_go()
            return
        self._pace.stop()
        if self._standing is Standing.IDLE and now - self._waits_since > self._terms.stall_s:
            self.let_go()

    def let_go(self) -> None:
        """Close the connection at once. What is not sent is dropped."""
        if self._socket is not None:
            self._socket.abort()

    def _should_upgrade(self) -> bool:
        return False  # uvicorn would log two warnings for each request with Upgrade, which RFC 9110 permits to ignore

    def _note(self) -> None:
        standing = self._current_standing()
        if standing is not self._standing:
            self._standing = standing
            self._terms.table.move(self, standing)

    def _current_standing(self) -> Standing:
        if self.cycle is None or self.cycle.response_complete or self.conn.fault is not None:
            return Standing.IDLE
        return Standing.EVENTS if self._standing is Standing.EVENTS else Standing.WORK

    def _responds(self, response: h11.Response) -> None:
        if any(name == b"content-type" and value.startswith(_STREAM) for name, value in response.headers):
            self._standing = Standing.EVENTS
            self._terms.table.move(self, Standing.EVENTS)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else "unknown"

    def _refuse(self, fault: h11.RemoteProtocolError) -> None:
        """Answer with a problem and close. What arrives until the client closes is dropped, so that it can read the answer."""
        # h11 proposes 501 for an unknown Transfer-Encoding. It is the fault of the client, and no cause for an alert.
        status = fault.error_status_hint if fault.error_status_hint < 500 else HTTPStatus.BAD_REQUEST
        detail = f"the request is not valid HTTP: {fault}"
        self._terms.on_refused(status, detail, self._address)
        self._waits_since = time.monotonic()
        begun = self.cycle is not None and not self.cycle.response_complete
        if begun:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if (begun and self.cycle.response_started) or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        self._send(status, detail)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _send(self, status: int, detail: str) -> None:
        answer = problem.answer("", problem.of_status(status), detail, {"Connection": "close", **SECURITY_HEADERS})
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"x-request-id", uuid.uuid4().hex.encode())]
        for event in (
            h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
