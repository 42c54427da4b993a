"""uvicorn's server with our listeners, connections and signals."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from upconv.service import heap, problem, reloading
from upconv.service.network.connection_table import ConnectionTable
from upconv.service.network.ending import end_within
from upconv.service.network.forwarding import TrustedProxies
from upconv.service.network.http_connection import ConnectionTerms, HttpConnection
from upconv.service.network.listening import BACKLOG, url_of
from upconv.service.network.loop_errors import LoopErrors
from upconv.service.network.tls import TlsConnection, tls_context
from upconv.service.settings import Settings
from upconv.service.state import ServiceState

_OPERATION_CONNECTIONS = 64
"""Connections of `--admin-port`, beside those of the service."""
_TICKS_PER_S = 10


@dataclass(frozen=True)
class Listeners:
    """The sockets of a service."""

    service: socket.socket
    operation: socket.socket | None = None
    """The socket of `--admin-port`."""


class HttpServer(uvicorn.Server):
    """The server of one app. `run` returns when it has been stopped by `should_exit`, SIGTERM or SIGINT."""

    def __init__(self, app: FastAPI, settings: Settings, max_connections: int) -> None:
        """Create a server. Raises `ParameterError` if the TLS files cannot be used."""
        super().__init__(_config(app, settings))
        self._app, self._settings = app, settings
        self._state: ServiceState = app.state.upconv
        self._tls = tls_context(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
        trusts = TrustedProxies(settings.trusted_proxies).trusts
        self.table = ConnectionTable(max_connections, settings.max_connections_per_client, trusts)
        self._operation_table = ConnectionTable(_OPERATION_CONNECTIONS, _OPERATION_CONNECTIONS, trusts)
        self._listeners: Listeners | None = None
        show = self._state.metrics.show
        show("upconv_connections", "Open connections, without those of --admin-port", lambda: len(self.table))
        show("upconv_connections_let_go", "Connections closed to make room for others", lambda: self.table.let_go_count)

    async def run_app(self, listeners: Listeners) -> None:
        """Run the app and its lifespan. Raises the errors of its start."""
        self._listeners = listeners
        heap.keep_out_of_collections()
        asyncio.get_running_loop().set_exception_handler(LoopErrors(self._state.log, self.table.relieve))
        # The lifespan runs here because uvicorn prints a traceback instead of raising the error.
        with self.capture_signals():
            async with self._app.router.lifespan_context(self._app), reloading.on_hangup(self._state):
                await self.serve([listener for listener in (listeners.service, listeners.operation) if listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and print the addresses."""
        assert self._listeners is not None
        terms = ConnectionTerms(self.table, self._settings.stall_s, self._refused, self._slow_reader, lambda: self.should_exit)
        self.servers = [await self._serve_on(self._listeners.service, terms, self._tls)]
        operation = self._listeners.operation
        if operation is not None:
            self.servers.append(await self._serve_on(operation, replace(terms, table=self._operation_table, admin=True), None))
        self.started = True
        if not self.should_exit:
            print(f"upconv is ready on {url_of(self._listeners.service, 'https' if self._tls else 'http')}", flush=True)
            if operation is not None:
                print(f"health and metrics are on {url_of(operation)}", flush=True)

    async def on_tick(self, counter: int) -> bool:
        """Let go connections that are too slow. Return true if the server must stop.

        Each connection is checked once a second, a tenth of them at a time, because requests wait for it.
        """
        now, turn = time.monotonic(), counter % _TICKS_PER_S
        for connection in (*self.table.connections, *self._operation_table.connections):
            if isinstance(connection, HttpConnection) and connection.number % _TICKS_PER_S == turn:
                connection.check(now)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Stop. uvicorn would raise the signal again at the end, so that the exit code would not be 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        if not self.should_exit:
            end_within(self._settings.drain_s if self.started else 0, self._state.log)
        self.should_exit = True
        self._state.draining = True

    async def _serve_on(self, listener: socket.socket, terms: ConnectionTerms, tls: ssl.SSLContext | None) -> asyncio.Server:
        connection = partial(HttpConnection, terms, self.config, self.server_state)
        make: Callable[[], asyncio.BaseProtocol] = (
            connection if tls is None else lambda: TlsConnection(connection(), tls, terms.stall_s)
        )
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            return await loop.create_unix_server(make, sock=listener, backlog=BACKLOG)
        return await loop.create_server(make, sock=listener, backlog=BACKLOG)

    def _refused(self, status: int, reason: str, client: str) -> None:
        self._state.metrics.answered("unknown", "other", status, "", 0.0)
        self._state.metrics.refused(problem.of_status(status).slug, status)
        self._state.log.info("request", status=status, client=client, error=reason)

    def _slow_reader(self, client: str) -> None:
        self._state.log.info("a connection is closed because its client takes the response too slowly", client=client)


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        workers=1,  # otherwise uvicorn reads WEB_CONCURRENCY, which may be empty
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=math.ceil(settings.stall_s),
        timeout_graceful_shutdown=settings.drain_s,
    )
