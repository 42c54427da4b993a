from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, serve


def test_both_protocols_share_one_service(client_with: Callable[..., Any], calling: Any, tensor: Any) -> None:
    with client_with(grpc_port=0) as service, calling(service) as call:
        assert call("ServerReady").ready
        call("ModelInfer", **tensor)
        assert service.get("/v2/models/nearest-x2-test/stats").json()["model_stats"][0]["inference_count"] == 1
        metrics = service.get("/metrics").text
        assert 'route="/inference.GRPCInferenceService/ModelInfer",status="200"} 1.0' in metrics
    with calling(service) as call, pytest.raises(grpc.RpcError):
        call("ServerReady", timeout=1)


def test_without_the_setting_there_is_no_server(service: Any) -> None:
    assert service.state.grpc_port is None


def test_port_in_use(nearest_x2: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ParameterError, match="for gRPC; choose another"):
        serve(Settings(models=(nearest_x2,), port=0, grpc_port=taken.getsockname()[1]))


@pytest.mark.parametrize(("bytes", "code"), [(10_000, None), (10_001, "RESOURCE_EXHAUSTED")])
def test_messages_are_limited(client_with: Callable[..., Any], calling: Any, bytes: int, code: str | None) -> None:
    with client_with(grpc_port=0, max_bytes=10_000) as service, calling(service) as call:
        data = _padded(bytes)
        if code is None:
            assert call("ServerReady", data).ready
        else:
            with pytest.raises(grpc.RpcError) as raised:
                call("ServerReady", data)
            assert raised.value.code() is grpc.StatusCode[code]


def _padded(size: int) -> bytes:
    """Return a message of this size, with one unknown field that protobuf skips."""
    head = b"\xfa\x01"  # field 31, of bytes
    length = size - len(head) - 2
    return head + bytes_of_varint(length) + b"\x00" * length


def bytes_of_varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7])


def test_a_drain_finishes_calls_and_accepts_no_more(
    client_with: Callable[..., Any], calling: Any, tensor: Any, gate: Any, wait_until: Callable[..., None]
) -> None:
    gate.opened.set()
    with client_with(grpc_port=0) as service, calling(service) as call, ThreadPoolExecutor() as pool:
        gate.opened.clear()
        tiles = gate.tiles
        running = pool.submit(call, "ModelInfer", **tensor)
        wait_until(lambda: gate.tiles > tiles)
        service.state.draining = True
        time.sleep(0.5)
        with calling(service) as other, pytest.raises(grpc.RpcError):
            other("ServerLive", timeout=2)
        gate.opened.set()
        assert running.result().outputs[0].shape == [1, 3, 4, 4]
