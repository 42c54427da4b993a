"""Clients that do what they should not."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from tests.system.chaos.conftest import Endures
from tests.system.chaos.faulty_service import FaultyService


def connected(service: FaultyService, stack: ExitStack, data: bytes = b"") -> socket.socket:
    """Open a connection and send `data`."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
    with suppress(OSError):
        connection.sendall(data)
    return connection


def head(length: int, path: str = "/v1/upscale", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n{more}\r\n".encode()


@pytest.mark.parametrize("count", [200, 1000])
def test_half_open_connections(endures: Endures, count: int) -> None:
    with endures(max_connections_per_client=4096) as service, ExitStack() as stack:
        for _ in range(count):
            connected(service, stack, b"GET / HT")
        assert service.alive()
        assert service.submit(2) == 2
        assert service.upscale() == 200


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/jobs", "/v2/models/nearest-x2-test/infer"])
def test_bodies_that_are_announced_and_never_come(endures: Endures, path: str) -> None:
    with endures() as service, ExitStack() as stack:
        for _ in range(100):
            connected(service, stack, head(32 * 2**20, path))
        assert service.alive()
        assert service.submit(2) == 2
        assert service.upscale() == 200


def test_slow_bodies(endures: Endures) -> None:
    with endures() as service, ExitStack() as stack:
        slow = [connected(service, stack, head(10_000)) for _ in range(100)]
        for _ in range(20):
            for connection in slow:
                with suppress(OSError):
                    connection.send(b"x")
            time.sleep(0.1)
        assert service.submit(2) == 2
        assert service.upscale() == 200


def test_slow_readers(endures: Endures) -> None:
    with endures() as service, ExitStack() as stack:
        for _ in range(20):
            connection = connected(service, stack)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.sendall(head(len(service.picture), "/v1/upscale?scale=4") + service.picture)
        time.sleep(3)
        assert service.alive()
        assert service.submit(2) == 2


def test_readers_of_events_that_read_nothing(endures: Endures) -> None:
    with endures() as service, ExitStack() as stack:
        service.submit(1)
        (job,) = service.ids
        for _ in range(100):
            connected(service, stack, f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert service.alive()
        assert service.submit(2) == 2


def abort(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("part", ["head", "body", "response"])
def test_connections_reset_in_the(endures: Endures, part: str) -> None:
    with endures() as service:
        whole = head(len(service.picture), "/v1/upscale?scale=8") + service.picture
        sent = {"head": whole[:40], "body": whole[: len(whole) // 2], "response": whole}[part]
        for _ in range(30):
            with ExitStack() as stack:
                connection = connected(service, stack, sent)
                time.sleep(0.02)
                abort(connection)
        assert service.recovered()
        assert service.submit(2) == 2


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "length and chunks": lambda picture: head(len(picture), more="Transfer-Encoding: chunked\r\n") + picture,
    "two lengths": lambda picture: head(len(picture), more="Content-Length: 1\r\n") + picture,
    "a negative length": lambda picture: head(-1) + picture,
    "a head of a megabyte": lambda _: b"GET / HTTP/1.1\r\nX: " + b"a" * 2**20 + b"\r\n\r\n",
    "ten thousand headers": lambda _: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "chunks of one byte": lambda picture: (
        b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n" + picture[n : n + 1] + b"\r\n" for n in range(20_000))
    ),
    "TLS": lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "HTTP/2": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 30,
    "zeros": lambda _: b"\0" * 100_000,
    "pipelined requests": lambda _: b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2000,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_connections_with(endures: Endures, kind: str) -> None:
    with endures() as service, ExitStack() as stack:
        for _ in range(20):
            connected(service, stack, GARBAGE[kind](service.picture))
        assert service.alive()
        assert service.submit(2) == 2
        assert service.upscale() == 200
