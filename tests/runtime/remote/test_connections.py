from __future__ import annotations

import errno
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.runtime.remote.conftest import Endpoints

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, MachineError
from upconv.runtime.remote import connections as connections_module
from upconv.runtime.remote.address import parse_address
from upconv.runtime.remote.connections import HttpConnections, HttpRequest
from upconv.runtime.remote.faults import EndpointFault
from upconv.runtime.remote.tensor_messages import read_json

GET = HttpRequest("GET", "/v2/models/nearest-x2-test")


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[HttpConnections]:
    """Connections to a server that calls `serve` with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    serve(accepted)

        threading.Thread(target=run, daemon=True).start()
        connections = HttpConnections(parse_address(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        yield connections
        connections.close()
        listener.shutdown(socket.SHUT_RDWR)


def get(connections: HttpConnections, cancellation: Cancellation | None = None, timeout_s: float = 5.0) -> dict[str, Any]:
    return connections.exchange(GET, read_json, cancellation or Cancellation(), timeout_s)


def test_a_connection_that_the_server_closed_is_replaced(endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1)
    connections = HttpConnections(parse_address(endpoint.url))
    for _ in range(2):
        get(connections)
    assert endpoint.connections == 1
    endpoint.stop()
    endpoint.start_again()
    get(connections)
    assert endpoint.connections == 2
    connections.close()


def test_a_connection_that_ends_when_it_is_used_is_replaced() -> None:
    served = []

    def once(accepted: socket.socket) -> None:
        accepted.recv(1000)
        served.append(1)
        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        accepted.recv(1000)  # the second request gets no answer

    with answering(once) as connections:
        assert get(connections) == get(connections) == {}
    assert len(served) == 2


def test_an_old_connection_is_not_used(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = endpoints(1)
    connections = HttpConnections(parse_address(endpoint.url))
    get(connections)
    monkeypatch.setattr(connections_module, "KEEP_S", 0)
    get(connections)
    assert endpoint.connections == 2
    connections.close()


def test_after_the_end_no_connection_is_kept(endpoints: Endpoints) -> None:
    connections = HttpConnections(parse_address(endpoints(1)[0].url))
    get(connections)
    connections.close()
    get(connections)
    assert not connections._idle


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "closed the connection before its answer was complete"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", r"does not speak HTTP \(BadStatusLine\)"),
        (b"HTTP/1.1 200 OK\r\n" + 200 * b"A: b\r\n", r"does not speak HTTP \(HTTPException\)"),
    ],
)
def test_answers_that_are_none(sent: bytes, why: str) -> None:
    def serve(accepted: socket.socket) -> None:
        accepted.recv(1000)
        accepted.sendall(sent)

    with answering(serve) as connections, pytest.raises(EndpointFault, match=why):
        get(connections)


def test_a_server_that_does_not_answer() -> None:
    with answering(lambda accepted: time.sleep(1)) as connections, pytest.raises(EndpointFault, match="not answer in time"):
        get(connections, timeout_s=0.1)


def test_a_cancellation_ends_the_wait() -> None:
    cancellation = Cancellation()
    with answering(lambda accepted: time.sleep(1)) as connections:
        threading.Timer(0.1, cancellation.cancel).start()
        with pytest.raises(Cancelled):
            get(connections, cancellation, timeout_s=60)


def test_a_refusal_before_the_whole_request_was_read() -> None:
    def serve(accepted: socket.socket) -> None:
        accepted.recv(1000)
        accepted.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        accepted.shutdown(socket.SHUT_WR)
        while accepted.recv(1 << 20):
            pass

    def status(response: http.client.HTTPResponse) -> int:
        return response.status

    with answering(serve) as connections:
        request = HttpRequest("POST", "/", parts=(bytes(8_000_000),))
        assert connections.exchange(request, status, Cancellation(), 5) == 413


def test_a_lack_of_files_is_not_the_fault_of_the_server(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    with pytest.raises(MachineError, match="no connection can be made: Too many open files"):
        get(HttpConnections(parse_address(endpoints(1)[0].url)))


def test_an_unknown_host() -> None:
    with pytest.raises(EndpointFault, match="cannot be reached"):
        get(HttpConnections(parse_address("http://no-such-host.invalid")))
