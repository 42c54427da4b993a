from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from upconv.runtime.errors import ModelError, ParameterError
from upconv.service import Settings, serve, server

PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"


@contextmanager
def process(models: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "UPCONV_MODELS": str(models), "UPCONV_PORT": "0", "UPCONV_WORKERS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_ready_line_and_calm_end(nearest_x2: Path, encoded: Callable[..., bytes]) -> None:
    with process(nearest_x2) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        match = re.fullmatch(r"upconv is ready on (http://127\.0\.0\.1:\d+)\n", line)
        assert match is not None, line
        assert httpx.get(f"{match[1]}/readyz").status_code == 200
        port = int(match[1].rsplit(":", 1)[1])
        body = encoded("png", 600, 600)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            head = f"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[:1000])
            running.send_signal(signal.SIGTERM)
            connection.sendall(body[1000:])
            assert connection.recv(64).startswith(b"HTTP/1.1 200 "), "what has begun is finished"
            while connection.recv(1 << 16):
                pass
        assert running.wait(30) == 0
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()


def test_bad_model_is_one_clear_error(without_contract: Path) -> None:
    with pytest.raises(ModelError, match="carries no contract"):
        serve(Settings(models=(without_contract,), port=0))


def test_several_processes_are_refused(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    with pytest.raises(ParameterError, match=r"limits are counted.*in one"):
        serve(Settings(models=(nearest_x2,), port=0))


def test_term_under_load(nearest_x2: Path, encoded: Callable[..., bytes]) -> None:
    body = encoded("png", 500, 500)
    with process(nearest_x2) as running, ThreadPoolExecutor(8) as pool:
        assert running.stdout is not None
        url = running.stdout.readline().split()[-1]
        answers = [pool.submit(httpx.post, f"{url}/v1/upscale", content=body, timeout=60) for _ in range(8)]
        while f"upconv_pictures_admitted {len(answers)}.0" not in httpx.get(f"{url}/metrics").text:
            if any(answer.done() for answer in answers):
                break
        running.send_signal(signal.SIGTERM)
        for answer in answers:
            response = answer.result()
            assert response.status_code in (200, 503)
            assert response.status_code == 200 or "retry-after" in response.headers
        assert running.wait(30) == 0


def test_port_in_use(nearest_x2: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ParameterError, match="cannot listen on 127"):
        serve(Settings(models=(nearest_x2,), port=taken.getsockname()[1]))


def test_answers_do_not_wait_for_acknowledgements(nearest_x2: Path) -> None:
    with server._listen(Settings(models=(nearest_x2,), port=0)) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
