from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from upconv.runtime.remote.proto_messages import SERVICE
from upconv.service.errors import AdmissionFullError
from upconv.service.grpc_protocol.client_calls import ClientCalls


def test_each_client_has_a_bound() -> None:
    clients = ClientCalls(2, lambda address: address == "10.0.0.9")
    with ExitStack() as stack:
        for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"):
            stack.enter_context(clients.counting(address))
        for other in ("10.0.0.9", None) * 3:
            stack.enter_context(clients.counting(other))
        for address in ("10.0.0.1", "2001:db8::3"):
            with pytest.raises(AdmissionFullError, match="this client has 2 calls open already"), clients.counting(address):
                pass
        with clients.counting("10.0.0.2"):
            pass
    with clients.counting("10.0.0.1"):
        assert clients._open == {"10.0.0.1": 1}
    assert not clients._open


@pytest.mark.parametrize(("trusted", "refused"), [((), True), (("127.0.0.0/8",), False)])
def test_a_client_with_half_of_the_calls_gets_no_more(
    client_with: Callable[..., Any], calling: Any, wait_until: Any, trusted: tuple[str, ...], refused: bool
) -> None:
    ended = threading.Event()

    def silence() -> Iterator[bytes]:
        ended.wait(20)
        yield b""

    with client_with(grpc_port=0, max_waiting=2, trusted_proxies=trusted) as service, calling(service) as call:
        with grpc.insecure_channel(f"127.0.0.1:{service.state.grpc_port}") as channel:
            method = channel.stream_unary(f"/{SERVICE}/ServerLive")
            open_calls = [method.future(silence(), timeout=30) for _ in range((2 + 32) // 2)]
            wait_until(lambda: _served(call) != refused)
            if refused:
                with pytest.raises(grpc.RpcError) as raised:
                    call("ServerLive")
                assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
                assert "this client has 17 calls open already" in str(raised.value.details())
            ended.set()
            for each in open_calls:
                assert each.result() == b"\x08\x01"
        assert call("ServerLive").live


def _served(call: Any) -> bool:
    try:
        return bool(call("ServerLive").live)
    except grpc.RpcError:
        return False
