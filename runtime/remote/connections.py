"""HTTP connections to one server, which are kept open between requests.

They are those of the standard library, which reads an answer into memory of the caller: a tile of 384 x 384 pixels takes 3 ms
of processor time. httpcore takes 12 ms as threads and 17 ms as tasks (one core of a server).
"""

from __future__ import annotations

import http.client
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, first_line, machine_error
from upconv.runtime.remote.address import EndpointAddress
from upconv.runtime.remote.faults import EndpointFault

T = TypeVar("T")

CONNECT_S = 3.0
"""Most seconds for a connection to be made."""

KEEP_S = 8.0
"""Seconds after which an unused connection is closed. Servers close them after 5 to 75 seconds."""


@dataclass(frozen=True)
class HttpRequest:
    """One request to a server."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[bytes | memoryview] = ()
    """The body, which is sent without a copy."""

    @property
    def length(self) -> int:
        """The number of bytes of the body."""
        return sum(memoryview(part).nbytes for part in self.parts)


class HttpConnections:
    """The connections to one server. Any number of threads may use them at the same time."""

    def __init__(self, address: EndpointAddress) -> None:
        self._address = address
        self._tls = ssl.create_default_context() if address.secure else None
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def exchange(
        self,
        request: HttpRequest,
        take: Callable[[http.client.HTTPResponse], T],
        cancellation: Cancellation,
        timeout_s: float,
    ) -> T:
        """Send a request and return what `take` makes of the answer.

        `timeout_s` limits each wait for the server. Raises `Cancelled` at once if `cancellation` is cancelled, `EndpointFault`
        if the server cannot be reached or ends early, `MachineError` if this machine has no files left, and what `take` raises.
        """
        cancellation.check()
        kept = self._kept()
        try:
            if kept is not None:
                with suppress(ConnectionError):  # the server has closed it meanwhile
                    return self._on(kept, request, take, cancellation, timeout_s)
                cancellation.check()
            return self._on(self._new(), request, take, cancellation, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            if cancellation.cancelled:
                raise Cancelled("the tile was cancelled") from error
            trouble = machine_error(error, "no connection can be made") if isinstance(error, OSError) else None
            raise trouble or EndpointFault(_reason(error)) from error

    def close(self) -> None:
        """Close the unused connections, and each other one after its request."""
        with self._lock:
            self._closed = True
            idle, self._idle = list(self._idle), deque()
        for connection, _ in idle:
            connection.close()

    def _on(
        self,
        connection: http.client.HTTPConnection,
        request: HttpRequest,
        take: Callable[[http.client.HTTPResponse], T],
        cancellation: Cancellation,
        timeout_s: float,
    ) -> T:
        whole = False
        live = _LiveSocket(cancellation)
        with cancellation.calling(live.end):
            try:
                if connection.sock is None:
                    connection.connect()
                live.use(connection.sock)
                connection.sock.settimeout(timeout_s)
                _send(connection, request)
                with closing(connection.getresponse()) as response:
                    result = take(response)
                    whole = response.isclosed() and not response.will_close
            finally:
                if not whole or cancellation.cancelled or not self._keep(connection):
                    connection.close()
        return result

    def _new(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=CONNECT_S)
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=self._tls)

    def _kept(self) -> http.client.HTTPConnection | None:
        """Return the connection that was used last, if the server keeps it open."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < KEEP_S and not _readable(connection.sock):
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> bool:
        with self._lock:
            if not self._closed:
                self._idle.append((connection, time.monotonic()))
            return not self._closed


class _LiveSocket:
    """The socket of a running request, which another thread may end."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._socket: socket.socket | None = None

    def use(self, used: socket.socket) -> None:
        self._socket = used
        if self._cancellation.cancelled:
            self.end()

    def end(self) -> None:
        """Make the thread that waits for the socket go on, with an error."""
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # that of TLS would wait for the other side


def _send(connection: http.client.HTTPConnection, request: HttpRequest) -> None:
    connection.putrequest(request.method, request.path)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    if request.parts:
        connection.putheader("Content-Length", str(request.length))
    connection.endheaders()
    try:
        for part in request.parts:
            connection.send(part)
    except (BrokenPipeError, ConnectionResetError):
        if connection.sock is None or not _readable(connection.sock):
            raise
        # A server that refuses a request may answer before it has read all of it.


def _readable(used: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(used, selectors.EVENT_READ)
        return bool(selector.select(0))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, (ConnectionError, http.client.IncompleteRead)):
        return "closed the connection before its answer was complete"
    if isinstance(error, http.client.HTTPException):
        return f"does not speak HTTP ({type(error).__name__})"
    return f"cannot be reached: {first_line(error)}"
