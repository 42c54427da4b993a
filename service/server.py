"""The server: its limits, its listeners, its log, and its end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI

from upconv.runtime.errors import ParameterError
from upconv.service import thread_start, tracing
from upconv.service.app import create_app
from upconv.service.log import everything_logged
from upconv.service.network import descriptors
from upconv.service.network.http_server import HttpServer, Listeners
from upconv.service.network.listening import listen, listen_for_operation
from upconv.service.settings import Settings, unknown_variables
from upconv.service.state import ServiceState

_SWITCH_S = 0.0005


def serve(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT, then finish running requests within `settings.drain_s`.

    Prints `upconv is ready on http://HOST:PORT` when requests are accepted. Raises the errors of opening the models, and
    `ParameterError` if the service cannot listen on the address or has too few descriptors.
    """
    _refuse_several()
    # While threads convert pixels, each step of the event loop may wait this long for the interpreter. The default is 5 ms.
    sys.setswitchinterval(_SWITCH_S)
    thread_start.refuse_without_room()
    app = create_app(settings)
    end_tracing = _trace(app) if settings.tracing else None
    log = app.state.upconv.log
    _warn_of_unknown_variables(log)
    try:
        with everything_logged(log), ExitStack() as stack:
            server = HttpServer(app, settings, _max_connections(settings, app.state.upconv))
            asyncio.run(server.run_app(_listeners(settings, stack)))
    finally:
        if end_tracing is not None:
            end_tracing()


def _listeners(settings: Settings, stack: ExitStack) -> Listeners:
    service = listen(settings)
    stack.callback(service.close)
    if settings.uds is not None:
        stack.callback(settings.uds.unlink, missing_ok=True)
    operation = listen_for_operation(settings)
    if operation is not None:
        stack.callback(operation.close)
    return Listeners(service, operation)


def _max_connections(settings: Settings, state: ServiceState) -> int:
    limit = descriptors.raise_limit()
    connections = descriptors.connections_for(limit, settings.max_connections)
    if settings.max_connections is None and connections < descriptors.MOST_CONNECTIONS:
        state.log.warning(
            f"the limit of {limit} open files allows only {connections} connections at once; raise it for more (ulimit -n)"
        )
    return connections


def _warn_of_unknown_variables(log: Any) -> None:
    for name, similar in unknown_variables(os.environ).items():
        log.warning(f"{name} is not a setting, so it has no effect" + (f"; the nearest one is {similar}" if similar else ""))


def _trace(app: FastAPI) -> Callable[[], None]:
    tracer, end = tracing.tracer()
    app.add_middleware(tracing.Tracing, tracer=tracer)
    return end


def _refuse_several() -> None:
    if os.environ.get("WEB_CONCURRENCY", "1").strip() not in ("", "0", "1"):
        raise ParameterError(
            "WEB_CONCURRENCY asks for several processes, but limits are counted and jobs are kept in one process, which uses all "
            "cores; unset it, or start several services behind a load balancer, each with its own --port and --jobs-dir"
        )
