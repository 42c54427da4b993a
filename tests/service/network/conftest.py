"""Raw connections to the service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from upconv.service.sending import PictureResponse

Connect = Callable[..., socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open a connection to a service, and send some bytes."""
    with ExitStack() as stack:

        def opened(address: tuple[str, int], data: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
            connection = socket.create_connection(address[:2], timeout=20, source_address=(source, 0))
            stack.enter_context(connection)
            connection.sendall(data)
            return connection

        yield opened


@pytest.fixture
def received() -> Callable[[socket.socket], bytes]:
    """Everything that arrives until the connection is closed."""

    def read(connection: socket.socket) -> bytes:
        parts: list[bytes] = []
        try:
            while part := connection.recv(1 << 16):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)

    return read


@pytest.fixture
def bulk() -> Callable[[Any, int], str]:
    """Add a route to a running service that sends a body of some bytes, and return its path."""

    def add(service: Any, size: int) -> str:
        async def send() -> PictureResponse:
            ticket = service.state.admission.reading()
            return PictureResponse((b"x" * size,), {}, ticket.__enter__(), lambda: ticket.__exit__(None, None, None))

        service.app.add_api_route("/bulk", send, methods=["GET"], response_model=None)
        return "/bulk"

    return add
