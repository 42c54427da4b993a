"""The gRPC server beside the HTTP server, in the same event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from upconv.runtime.errors import ParameterError
from upconv.service.grpc_protocol.calls import Calls
from upconv.service.grpc_protocol.proto_messages import SERVICE
from upconv.service.state import ServiceState

_SPARE_CALLS = 32
"""Calls at once beyond the pictures that admission allows, for health, metadata and streams."""
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
async def listening(state: ServiceState, host: str, port: int) -> AsyncIterator[int]:
    """Serve calls inside the context, and provide the port. When the service drains, calls may finish as requests do.

    Raises `ParameterError` if the address is in use.
    """
    settings = state.settings
    options = {**_OPTIONS, "grpc.max_receive_message_length": settings.max_bytes}
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=settings.max_waiting + _SPARE_CALLS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, Calls(state).handlers()),))
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise ParameterError(f"cannot listen on {host}, port {port}, for gRPC; choose another --grpc-port") from error
    await server.start()
    ending = asyncio.create_task(_stop_when_draining(server, state))
    try:
        state.log.info("grpc", host=host, port=bound)
        yield bound
    finally:
        if not state.draining:
            ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await server.stop(0)


async def _stop_when_draining(server: Any, state: ServiceState) -> None:
    while not state.draining:
        await asyncio.sleep(_DRAIN_CHECK_S)
    await server.stop(state.settings.drain_s)
