"""The gRPC server beside the HTTP server, in the same event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from upconv.runtime.errors import ParameterError
from upconv.runtime.remote.proto_messages import SERVICE
from upconv.service.grpc_protocol.calls import Calls
from upconv.service.grpc_protocol.client_calls import ClientCalls
from upconv.service.network.forwarding import TrustedProxies
from upconv.service.network.listening import EVERYONE, remove_stale_socket
from upconv.service.network.tls import tls_context
from upconv.service.settings import Settings
from upconv.service.state import ServiceState

_SPARE_CALLS = 32
"""Calls at once beyond the pictures that admission allows, for health, metadata and streams."""
MAX_CONNECTIONS = 512
"""Connections at once. Further ones are closed. One without a handshake is closed after `stall_s`."""
_DRAIN_CHECK_S = 0.1
_OPTIONS = {
    "grpc.max_metadata_size": 32 * 1024,
    "grpc.max_connection_idle_ms": 300_000,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.so_reuseport": 0,
    "grpc.max_send_message_length": -1,
}


@asynccontextmanager
async def listening(state: ServiceState) -> AsyncIterator[int | None]:
    """Serve calls inside the context, and provide the port, if there is one.

    When the service drains, calls may finish as requests do. Raises `ParameterError` if an address is in use, or the files of TLS cannot be used.
    """
    settings, most_calls = state.settings, state.settings.max_waiting + _SPARE_CALLS
    options = {
        **_OPTIONS,
        "grpc.max_receive_message_length": settings.max_bytes,
        "grpc.server_handshake_timeout_ms": math.ceil(settings.stall_s * 1000),
        "grpc.max_allowed_incoming_connections": MAX_CONNECTIONS,
    }
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=most_calls)
    proxies = TrustedProxies(settings.trusted_proxies)
    calls = Calls(state, ClientCalls(most_calls // 2, proxies.trusts))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls.handlers()),))
    bound = None if settings.grpc_port is None else _bind(server, settings, settings.grpc_port)
    with ExitStack() as stack:
        if settings.grpc_uds is not None:
            _bind_unix(server, settings.grpc_uds)
            stack.callback(settings.grpc_uds.unlink, missing_ok=True)
        async with _started(server, state):
            state.log.info(
                "grpc", host=settings.host, port=bound, tls=settings.tls_cert is not None, uds=str(settings.grpc_uds or "")
            )
            yield bound


def _bind(server: Any, settings: Settings, port: int) -> int:
    host = settings.host
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if settings.tls_cert is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, _credentials(settings.tls_cert, settings.tls_key)))
    except RuntimeError as error:
        raise ParameterError(f"cannot listen on {host}, port {port}, for gRPC; choose another --grpc-port") from error


def _credentials(certificate: Path, key: Path | None) -> Any:
    tls_context(certificate, key)  # checks the files
    return grpc.ssl_server_credentials([((key or certificate).read_bytes(), certificate.read_bytes())])


def _bind_unix(server: Any, path: Path) -> None:
    remove_stale_socket(path, "--grpc-uds")
    try:
        server.add_insecure_port(f"unix:{path.absolute()}")
        path.chmod(EVERYONE)
    except (RuntimeError, OSError) as error:
        raise ParameterError(f"cannot listen on the unix socket {path} for gRPC; choose another --grpc-uds") from error


@asynccontextmanager
async def _started(server: Any, state: ServiceState) -> AsyncIterator[None]:
    await server.start()
    ending = asyncio.create_task(_stop_when_draining(server, state))
    try:
        yield
    finally:
        if not state.draining:
            ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await server.stop(0)


async def _stop_when_draining(server: Any, state: ServiceState) -> None:
    while not state.draining:
        await asyncio.sleep(_DRAIN_CHECK_S)
    await server.stop(state.settings.drain_s)
