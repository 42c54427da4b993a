from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from upconv.runtime.codecs import encoder_process

Wait = Callable[[Callable[[], bool]], None]


def post(address: tuple[str, int], body: bytes, query: str = "") -> socket.socket:
    connection = socket.create_connection(address, timeout=20)
    head = f"POST /v1/upscale{query} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_work_ends_when_the_client_goes(service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Wait) -> None:
    admission = service.state.admission
    with post(service.address, encoded("png", 700, 700)):
        wait_until(lambda: gate.tiles == 1)
        assert admission.pictures == 1
    gate.opened.set()
    wait_until(lambda: admission.pictures == 0)
    assert gate.tiles <= 2, "of nine tiles, those in work are finished and no more begun"
    assert admission.bytes == 0


def test_waiting_work_is_dropped_when_the_client_goes(
    service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Wait
) -> None:
    state = service.state
    state.threads.total_tokens = 1
    with post(service.address, encoded()) as first:
        wait_until(lambda: gate.tiles == 1)
        with post(service.address, encoded()):
            wait_until(lambda: state.admission.pictures == 2)
        wait_until(lambda: state.admission.pictures == 1)
        gate.opened.set()
        assert first.recv(64).startswith(b"HTTP/1.1 200 ")
    assert gate.tiles == 1


def test_client_goes_while_sending(service: Any, wait_until: Wait) -> None:
    state = service.state
    with socket.create_connection(service.address, timeout=20) as connection:
        connection.sendall(b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nabc")
        wait_until(lambda: state.admission.bytes == 3)
    wait_until(lambda: state.admission.bytes == 0)
    assert state.admission.pictures == 0
    metrics = service.get("/metrics").text
    assert 'upconv_requests_total{method="POST",route="/v1/upscale",status="499"} 1.0' in metrics


def test_loop_is_free_while_all_threads_are_busy(
    service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Wait
) -> None:
    service.state.threads.total_tokens = 1
    with post(service.address, encoded()) as busy, post(service.address, encoded()) as waiting:
        wait_until(lambda: service.state.admission.pictures == 2 and gate.tiles == 1)
        for path in ("/healthz", "/readyz", "/metrics", "/v1/models", "/"):
            assert service.get(path, timeout=10).status_code == 200
        gate.opened.set()
        for connection in (busy, waiting):
            assert connection.recv(64).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("waiting", [False, True])
def test_time_is_over(service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Wait, waiting: bool) -> None:
    service.state.threads.total_tokens = 1
    threading.Timer(1.5, gate.opened.set).start()
    with post(service.address, encoded()) as busy:
        wait_until(lambda: gate.tiles == 1)
        if not waiting:
            service.state.threads.total_tokens = 2
        body = encoded("png", 300, 300)
        answer = service.post("/v1/upscale", content=body, headers={"X-Upconv-Timeout": "1"})
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#deadline", "1")
        assert busy.recv(64).startswith(b"HTTP/1.1 200 ")
    assert gate.tiles <= 3
    wait_until(lambda: service.state.admission.pictures == 0)
    assert service.state.memory.taken == 0


def test_an_encoding_ends_when_the_client_goes(
    service: Any, encoded: Callable[..., bytes], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders, start = list[Any](), encoder_process._started

    def record(order: str) -> Any:
        encoders.append(start(order))
        return encoders[-1]

    monkeypatch.setattr(encoder_process, "_started", record)
    service.state.speeds.write_s = lambda *_: 0.0
    with post(service.address, encoded("png", 2000, 2000), "?scale=1&format=avif&lossless=true"):
        wait_until(lambda: bool(encoders))
    wait_until(lambda: service.state.admission.pictures == 0)
    assert encoders[0].wait(20) == -signal.SIGKILL
    assert service.post("/v1/upscale", content=encoded()).status_code == 200
