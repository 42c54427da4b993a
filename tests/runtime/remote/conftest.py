"""Endpoints with faults on real sockets, in front of a model that doubles every pixel."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime.session import Model, open_model

LENGTH = "Inference-Header-Content-Length"
INSPECTED = (1, 3, 64, 96)
"""The shape of the tile with which an endpoint is inspected."""


class FaultyEndpoint:
    """A server of the protocol whose answers a test can change while it runs."""

    def __init__(self, sha256: str) -> None:
        self.metadata: dict[str, Any] = {
            "name": "nearest-x2-test",
            "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, -1, -1]}],
            "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 3, -1, -1]}],
            "parameters": {"sha256": sha256},
        }
        self.config: dict[str, Any] | None = None
        self.change: Callable[[np.ndarray], np.ndarray] = lambda output: output
        """Changes the output of a tile."""
        self.status: Callable[[], tuple[int, dict[str, str]]] = lambda: (200, {})
        """Returns the status of the answer to a tile, and further headers."""
        self.delay_s = 0.0
        self.cut = 0
        """Bytes that are missing at the end of an answer."""
        self.more = b""
        """Bytes that follow the tensor of an answer."""
        self.raw: bytes | None = None
        """Bytes that are sent in place of an answer to a tile."""
        self.as_json = False
        self.silent = threading.Event()
        """While it is set, tiles and descriptions are not answered."""
        self.tiles: list[tuple[int, ...]] = []
        """The shapes of all tiles that were asked for, without that of the inspection."""
        self.heads: list[dict[str, Any]] = []
        self.inspected = 0
        self.connections = 0
        self.gone = 0
        """Requests whose client left before the answer."""
        self.open: set[socket.socket] = set()
        self.server: Any = self._started(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        """Refuse connections from now on, and close those that are open."""
        self.server.shutdown()
        self.server.server_close()
        for connection in tuple(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def start_again(self) -> None:
        self.server = self._started(self.server.server_address[1])

    def _started(self, port: int) -> Any:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def answer(self, described: dict[str, Any], blob: bytes) -> tuple[bytes, bytes]:
        """Return the JSON and the bytes of the answer to a tile."""
        (given,) = described["inputs"]
        dtype = {"FP32": "<f4", "FP16": "<f2", "UINT8": "u1"}[given["datatype"]]
        tensor = np.frombuffer(blob, dtype).reshape(given["shape"])
        output = self.change(tensor.repeat(2, axis=2).repeat(2, axis=3))
        data = output.tobytes()
        named = {"name": described["outputs"][0]["name"], "shape": list(output.shape), "datatype": given["datatype"]}
        if self.as_json:
            return json.dumps({"outputs": [{**named, "data": output.ravel().tolist()}]}).encode(), b""
        return json.dumps({"outputs": [{**named, "parameters": {"binary_data_size": len(data)}}]}).encode(), data


def handler(endpoint: FaultyEndpoint) -> type[BaseHTTPRequestHandler]:  # noqa: C901, it is a class
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            endpoint.connections += 1
            endpoint.open.add(self.request)
            super().setup()

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def finish(self) -> None:
            endpoint.open.discard(self.request)
            with suppress(OSError):
                super().finish()

        def log_message(self, format: str, *args: Any) -> None: ...

        def wait(self) -> None:
            while endpoint.silent.is_set():
                time.sleep(0.01)

        def send(self, status: int, body: bytes, headers: dict[str, str], cut: int = 0) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) - cut])
            if cut:
                self.close_connection = True

        def do_GET(self) -> None:
            self.wait()
            known = endpoint.config if self.path.endswith("/config") else endpoint.metadata
            if known is None:
                self.send(404, b'{"error": "no configuration"}', {})
            else:
                self.send(200, json.dumps(known).encode(), {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            length = int(self.headers[LENGTH])
            described = json.loads(body[:length])
            shape = tuple(described["inputs"][0]["shape"])
            if shape == INSPECTED:
                endpoint.inspected += 1
            else:
                endpoint.tiles.append(shape)
                endpoint.heads.append(described)
            self.wait()
            time.sleep(endpoint.delay_s)
            status, headers = endpoint.status() if shape != INSPECTED else (200, {})
            if status != 200:
                self.send(status, b'{"error": "no such luck"}', headers)
            elif endpoint.raw is not None and shape != INSPECTED:
                self.wfile.write(endpoint.raw)
                self.close_connection = True
            else:
                head, data = endpoint.answer(described, body[length:])
                stated = {} if endpoint.as_json else {LENGTH: str(len(head))}
                try:
                    more = endpoint.more if shape != INSPECTED else b""
                    self.send(200, head + data + more, {**stated, **headers}, endpoint.cut if shape != INSPECTED else 0)
                except OSError:
                    endpoint.gone += 1

    return Handler


Endpoints = Callable[..., list[FaultyEndpoint]]


@pytest.fixture
def endpoints(nearest_x2: Path) -> Iterator[Endpoints]:
    """Starts endpoints that serve the model."""
    sha256 = hashlib.sha256(nearest_x2.read_bytes()).hexdigest()
    with ExitStack() as stack:

        def start(count: int, kind: type[FaultyEndpoint] = FaultyEndpoint) -> list[FaultyEndpoint]:
            started = [kind(sha256) for _ in range(count)]
            for endpoint in started:
                stack.callback(endpoint.stop)
                stack.callback(endpoint.silent.clear)
            return started

        yield start


@pytest.fixture
def model(nearest_x2: Path) -> Model:
    return open_model(nearest_x2)


@pytest.fixture
def tile() -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tile of noise."""
    return np.random.default_rng(0).random((1, 3, 20, 30), np.float32)
