from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from upconv.runtime.errors import ModelError, ParameterError
from upconv.service import Settings, serve
from upconv.service.keys import new_key
from upconv.service.network.listening import listen

PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"


@contextmanager
def process(models: Path, program: str = PROGRAM, **more: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "UPCONV_MODELS": str(models), "UPCONV_PORT": "0", "UPCONV_WORKERS": "1", **more}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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


def test_sighup_reads_keys_and_models_again(nearest_x2: Path, decoder: Path, tmp_path: Path) -> None:
    (ann, first), (bob, second) = new_key("ann"), new_key("bob")
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(nearest_x2, models / "a.onnx")
    (tmp_path / "keys").write_text(first.line())
    with process(models, UPCONV_API_KEYS_FILE=str(tmp_path / "keys")) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[-1]

        def seen(key: str) -> tuple[int, int]:
            answer = httpx.get(f"{url}/v1/models", headers={"X-API-Key": key})
            return answer.status_code, len(answer.json().get("models", ()))

        assert (seen(ann), seen(bob)) == ((200, 1), (401, 0))
        (tmp_path / "keys").write_text(second.line())
        shutil.copy(decoder, models / "b.onnx")
        running.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while seen(bob) != (200, 2):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert seen(ann) == (401, 0)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0


@pytest.mark.parametrize("at_start", [True, False])
def test_a_model_that_never_ends_does_not_block_the_end(
    nearest_x2: Path, endless: Path, tmp_path: Path, at_start: bool
) -> None:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    if at_start:
        shutil.copy(endless, tmp_path / "b.onnx")
    with process(tmp_path, UPCONV_MODEL_TIMEOUT_S="600", UPCONV_WATCH="1", UPCONV_WATCH_INTERVAL_S="0.1") as running:
        if at_start:
            while not any(path.read_text() for path in Path(f"/proc/{running.pid}/task").glob("*/children")):
                time.sleep(0.1)
        else:
            assert running.stdout is not None
            url = running.stdout.readline().split()[-1]
            shutil.copy(endless, tmp_path / "b.onnx")
            while not httpx.get(f"{url}/v1/models", timeout=60).json()["on_trial"]:
                time.sleep(0.2)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0


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
    with listen(Settings(models=(nearest_x2,), port=0)) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_spans_reach_a_collector(nearest_x2: Path, encoded: Callable[..., bytes]) -> None:
    spans = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        traced = {"UPCONV_TRACING": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
        with process(nearest_x2, **traced, OTEL_SERVICE_NAME="enlarger") as running:
            assert running.stdout is not None
            url = running.stdout.readline().split()[-1]
            assert httpx.post(f"{url}/v1/upscale", content=encoded("png", 20, 10), timeout=60).status_code == 200
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0, "what is not sent yet goes out before the end"
        collector.shutdown()
    (path, body), *_ = received
    request = spans.ExportTraceServiceRequest.FromString(body)
    resource, spans_sent = request.resource_spans[0].resource, request.resource_spans[0].scope_spans[0].spans
    (span,) = (span for span in spans_sent if not span.parent_span_id)
    assert {"queue", "decode", "infer", "encode"} == {
        child.name for child in spans_sent if child.parent_span_id == span.span_id
    }
    assert (path, span.name) == ("/v1/traces", "POST /v1/upscale")
    assert {"service.name": "enlarger"}.items() <= texts(resource.attributes).items()
    assert "infer;dur=" in texts(span.attributes)["upconv.server-timing"]


def texts(attributes: Any) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in attributes}


@pytest.mark.parametrize(("processes", "refused"), [(None, False), ("", False), ("0", False), ("1", False), ("2", True)])
def test_one_process_is_not_refused(
    without_contract: Path, monkeypatch: pytest.MonkeyPatch, processes: str | None, refused: bool
) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    if processes is not None:
        monkeypatch.setenv("WEB_CONCURRENCY", processes)
    with pytest.raises(ParameterError if refused else ModelError):  # a model that cannot be opened ends it sooner
        serve(Settings(models=(without_contract,), port=0))


def ended(running: subprocess.Popen[str]) -> tuple[int, float]:
    """The exit status after SIGTERM, and the seconds until then."""
    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    return running.wait(60), time.monotonic() - begun


HANG = """
import threading
from upconv.runtime.executors import LocalExecutor
from upconv.service import Settings, serve
ready, run = threading.Event(), LocalExecutor.run
def hang(executor, tensor, cancellation):
    if ready.is_set():
        threading.Event().wait()
    return run(executor, tensor, cancellation)
LocalExecutor.run = hang
print_first, __builtins__.print = print, lambda *words, **more: (ready.set(), print_first(*words, **more))
serve(Settings())
"""


def test_a_thread_that_hangs_does_not_keep_the_process(nearest_x2: Path, encoded: Callable[..., bytes]) -> None:
    with process(nearest_x2, HANG, UPCONV_DRAIN_S="1") as running:
        assert running.stdout is not None
        port = int(running.stdout.readline().rsplit(":", 1)[1])
        body = encoded("png", 50, 50)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            head = f"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            time.sleep(1)
            status, seconds = ended(running)
        assert (status, seconds < 2.5) == (1, True)
        assert running.stderr is not None
        assert "did not end within 1 s" in running.stderr.read()


def test_term_while_models_are_opened(nearest_x2: Path) -> None:
    hang = HANG.replace("if ready.is_set()", "if print_first('warming', flush=True) is None")
    with process(nearest_x2, hang) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "warming\n"
        assert ended(running)[1] < 2, "there is nothing to finish"


def test_slow_clients_do_not_keep_the_process(nearest_x2: Path) -> None:
    with process(nearest_x2, UPCONV_DRAIN_S="1") as running, ExitStack() as stack:
        assert running.stdout is not None
        port = int(running.stdout.readline().rsplit(":", 1)[1])
        for data in (b"", b"GET", b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(data)
        time.sleep(0.5)
        status, seconds = ended(running)
        assert (status, seconds < 2.5) == (0, True)


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
def test_listeners_of_a_process(nearest_x2: Path, tmp_path: Path, host: str) -> None:
    with process(nearest_x2, UPCONV_HOST=host, UPCONV_ADMIN_PORT="0") as running:
        assert running.stdout is not None
        service, operation = (running.stdout.readline().split()[-1] for _ in range(2))
        for url in (service, operation):
            assert httpx.get(f"http://127.0.0.1:{url.rsplit(':', 1)[1]}/healthz").status_code == 200
    path = tmp_path / "s"
    with process(nearest_x2, UPCONV_UDS=str(path)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == f"upconv is ready on unix:{path}\n"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://x/readyz").status_code == 200
        assert ended(running)[0] == 0
    assert not path.exists()


def test_address_of_a_client_on_a_socket_for_both(nearest_x2: Path) -> None:
    with process(
        nearest_x2, UPCONV_HOST="::", UPCONV_TRUSTED_PROXIES="127.0.0.1", UPCONV_RATE_PER_S="1", UPCONV_RATE_BURST="1"
    ) as running:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().rsplit(':', 1)[1].strip()}/v1/upscale"
        for address, status in (("203.0.113.1", 422), ("203.0.113.1", 429), ("203.0.113.2", 422)):
            assert httpx.post(url, headers={"X-Forwarded-For": address}).status_code == status


def test_too_few_descriptors(nearest_x2: Path) -> None:
    def start(limit: int, **more: str) -> str:
        few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))\n{PROGRAM}"
        with process(nearest_x2, few, **more) as running:
            assert running.stdout is not None
            if running.stdout.readline():
                running.send_signal(signal.SIGTERM)
            return running.communicate(timeout=60)[1]

    assert "suffices for 0 connections, not for 16; raise it" in start(200)
    assert "not for 500; raise it" in start(1024, UPCONV_MAX_CONNECTIONS="500")
    assert "the limit of 1024 open files allows only 384 connections at once" in start(1024)


def test_descriptors_run_out(nearest_x2: Path) -> None:
    """Files beside the connections take all descriptors; then connections that wait make room."""
    few = "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))\n"
    taken = "import threading; threading.Timer(3, lambda: [os.dup(1) for _ in range(250)]).start()\n"
    with process(nearest_x2, few + taken + PROGRAM, UPCONV_MAX_CONNECTIONS="72") as running, ExitStack() as stack:
        assert running.stdout is not None
        url = running.stdout.readline().split()[-1]
        port = int(url.rsplit(":", 1)[1])
        time.sleep(4)
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(b"GET")
        for _ in range(10):
            assert httpx.get(f"{url}/healthz", timeout=20).status_code == 200
        running.send_signal(signal.SIGTERM)
        log = running.communicate(timeout=60)[1]
        assert log.count("no connection can be accepted") <= 1
        assert len(log) < 20_000
