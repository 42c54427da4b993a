"""The server: uvicorn with limits, a ready line and a graceful shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from upconv.runtime.errors import ParameterError
from upconv.service import reloading, tracing
from upconv.service.app import create_app
from upconv.service.log import everything_logged
from upconv.service.settings import Settings, unknown_variables
from upconv.service.state import ServiceState

_CONNECTIONS = 1024
_HEADER_BYTES = 32 * 1024
_SWITCH_S = 0.0005


def serve(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT, then finish running requests within `settings.drain_s`.

    Prints `upconv is ready on http://HOST:PORT` when requests are accepted. Raises the errors of opening the models, and
    `ParameterError` if the service cannot listen on the address.
    """
    _refuse_several()
    # While threads convert pixels, each step of the event loop may wait this long for the interpreter. The default is 5 ms.
    sys.setswitchinterval(_SWITCH_S)
    app = create_app(settings)
    end_tracing = _trace(app) if settings.tracing else None
    log = app.state.upconv.log
    _warn_of_unknown_variables(log)
    try:
        with everything_logged(log), _listen(settings) as listener:
            asyncio.run(_run(_Server(_config(app, settings), app.state.upconv), app, listener))
    finally:
        if end_tracing is not None:
            end_tracing()


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
        limit_concurrency=_CONNECTIONS,
        backlog=128,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=settings.drain_s,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise ParameterError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}; choose another address or port 0 for a free one"
        ) from error
    # asyncio sets this only for sockets with an explicit protocol. Without it, each response waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _run(server: _Server, app: FastAPI, listener: socket.socket) -> None:
    # The lifespan runs here because uvicorn prints a traceback instead of raising the error.
    with server.capture_signals():
        async with app.router.lifespan_context(app), reloading.on_hangup(app.state.upconv):
            await server.serve([listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, state: ServiceState) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            host, port = sockets[0].getsockname()[:2]
            print(f"upconv is ready on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        # uvicorn raises the signal again at the end, so that the exit code would not be 0.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self._state.draining = True
