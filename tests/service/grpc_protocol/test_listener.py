from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, serve
from upconv.service.grpc_protocol import listener


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


def test_calls_over_tls(
    client_with: Callable[..., Any], calling: Any, tensor: Any, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = certificate
    both = tmp_path / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    for files in ({"tls_cert": cert, "tls_key": key}, {"tls_cert": both}):
        with client_with(grpc_port=0, **files) as service:
            with calling(service, certificate=cert) as call:
                assert call("ModelInfer", **tensor).outputs[0].shape == [1, 3, 4, 4]
            with calling(service) as plain, pytest.raises(grpc.RpcError) as raised:
                plain("ServerLive", timeout=5)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_calls_over_a_unix_socket(
    client_with: Callable[..., Any], calling: Any, tensor: Any, nearest_x2: Path, tmp_path: Path
) -> None:
    path = tmp_path / "grpc.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with client_with(grpc_uds=path) as service, calling(service, f"unix:{path}") as call:
        assert service.state.grpc_port is None
        assert call("ModelInfer", **tensor).outputs[0].shape == [1, 3, 4, 4]
        assert path.stat().st_mode & 0o777 == 0o666
        with pytest.raises(ParameterError, match="another process listens"):
            serve(Settings(models=(nearest_x2,), port=0, grpc_uds=path))
    assert not path.exists()


def test_a_path_that_is_no_socket(nearest_x2: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "file", tmp_path / "missing" / "socket"):
        if path.parent == tmp_path:
            path.write_text("")
        with pytest.raises(ParameterError, match="--grpc-uds"):
            serve(Settings(models=(nearest_x2,), port=0, grpc_uds=path))


def test_connections_are_bounded_and_must_shake_hands(
    client_with: Callable[..., Any], calling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 4)
    with client_with(grpc_port=0, stall_s=1.0) as service, ExitStack() as stack:
        address = ("127.0.0.1", service.state.grpc_port)
        silent = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(4)]
        beyond = stack.enter_context(socket.create_connection(address, 20))
        begun = time.monotonic()
        assert _ended(beyond)
        assert time.monotonic() - begun < 0.9
        assert all(map(_ended, silent))
        with calling(service) as call:
            assert call("ServerLive").live


def _ended(connection: socket.socket) -> bool:
    """Wait for the end of a connection."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return True
