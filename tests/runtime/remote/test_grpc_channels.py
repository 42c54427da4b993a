from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from tests.runtime.remote.conftest import Endpoints
from tests.runtime.remote.grpc_endpoint import FaultyGrpcEndpoint

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, MachineError
from upconv.runtime.remote.address import parse_address
from upconv.runtime.remote.faults import EndpointFault
from upconv.runtime.remote.grpc_channels import GrpcChannels, _unreachable


def call(channels: GrpcChannels, cancellation: Cancellation | None = None, timeout_s: float = 5.0) -> bytes:
    return channels.call("ServerLive", b"", cancellation or Cancellation(), timeout_s)


def channels_to(port: int, host: str = "127.0.0.1") -> GrpcChannels:
    return GrpcChannels(parse_address(f"grpc://{host}:{port}"))


def test_a_server_that_returns_on_the_same_port(endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    channels = GrpcChannels(parse_address(endpoint.url))
    assert call(channels)
    endpoint.stop()
    with pytest.raises(EndpointFault, match=r"refuses connections|closed the connection"):  # the end may arrive after the call
        call(channels)
    with pytest.raises(EndpointFault, match="refuses connections"):
        call(channels)
    assert not channels._by_limit, "nothing goes on trying to connect"
    endpoint.start_again()
    assert call(channels)
    channels.close()
    with pytest.raises(EndpointFault, match="was closed"):
        call(channels)


def test_a_server_that_does_not_answer(endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    channels, cancellation = GrpcChannels(parse_address(endpoint.url)), Cancellation()
    endpoint.silent.set()
    with pytest.raises(EndpointFault, match=r"does not answer within 0\.1 s"):
        call(channels, timeout_s=0.1)
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        call(channels, cancellation)
    threading.Timer(0.1, channels.close).start()
    with pytest.raises(EndpointFault):
        call(channels)


def test_a_server_without_tls(endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    with pytest.raises(EndpointFault, match="does not speak TLS"):
        call(GrpcChannels(parse_address(endpoint.url.replace("grpc://", "grpcs://"))))


def test_a_server_of_another_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                for _ in range(3):
                    accepted, _ = listener.accept()
                    with accepted:
                        accepted.recv(1000)
                        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(EndpointFault, match="does not speak gRPC"):
            call(channels_to(listener.getsockname()[1]))


def test_an_unknown_host() -> None:
    with pytest.raises(EndpointFault, match=r"cannot be reached: .*no-such-host\.invalid"):
        call(channels_to(1, "no-such-host.invalid"))


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:1: Connection refused", EndpointFault, "refuses connections"),
        ("last error: Tls handshake failed: OPENSSL_internal:WRONG_VERSION_NUMBER", EndpointFault, "does not speak TLS; use grpc://"),
        ("Socket closed", EndpointFault, "closed the connection before its answer was complete"),
        ("recvmsg:Connection reset by peer", EndpointFault, "closed the connection before"),
        ("last error: UNKNOWN: socket: Too many open files", MachineError, "no connection can be made: Too many open files"),
        ("no route", EndpointFault, "cannot be reached: no route"),
    ],
)  # fmt: skip
def test_the_words_of_the_library(said: str, kind: type[Exception], why: str) -> None:
    error = _unreachable(said)
    assert isinstance(error, kind)
    assert str(error).startswith(why)
