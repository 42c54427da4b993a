"""The service around a tiny model, in the process and on a real socket."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import onnx
import pytest
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper

from upconv.runtime import Contract, Picture, codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import KEY, Provenance
from upconv.runtime.executors import LocalExecutor
from upconv.runtime.session import Tensor
from upconv.service import Settings, create_app
from upconv.service.network.descriptors import MOST_CONNECTIONS
from upconv.service.network.http_server import HttpServer, Listeners
from upconv.service.state import ServiceState
from upconv.service.web_runtime import FILES, write_runtime

Encoded = Callable[..., bytes]


@pytest.fixture(scope="session")
def decoder(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of task `decode`."""
    model = onnx.load(nearest_x2)
    contract = Contract.model_validate_json(model.metadata_props[0].value)
    described = contract.model_copy(update={"name": "decoder-test", "task": "decode", "input": None, "output": None})
    helper.set_model_props(model, {KEY: described.to_json()})
    path = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of task `decode` with inputs and outputs of several types."""

    def tensor(name: str, type: int, shape: list[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, type, shape)

    nodes = [
        helper.make_node("Add", ["latent", "latent"], ["sum"]),
        helper.make_node("Neg", ["steps"], ["negative"]),
        helper.make_node("Not", ["flag"], ["other"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [
            tensor("latent", TensorProto.FLOAT, ["n", 4]),
            tensor("steps", TensorProto.INT64, ["m"]),
            tensor("flag", TensorProto.BOOL, []),
        ],
        [
            tensor("sum", TensorProto.FLOAT, ["n", 4]),
            tensor("negative", TensorProto.INT64, ["m"]),
            tensor("other", TensorProto.BOOL, []),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    contract = Contract(name="adder", task="decode", opset=18, provenance=Provenance(source="built in a test"))
    helper.set_model_props(model, {KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("adder") / "adder.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def endless(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose loop never ends."""
    return _with_loop(nearest_x2, tmp_path_factory.mktemp("endless") / "endless.onnx", "Add", 2**62)


@pytest.fixture(scope="session")
def growing(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose loop doubles a tensor until the memory is full."""
    return _with_loop(nearest_x2, tmp_path_factory.mktemp("growing") / "growing.onnx", "Concat", 40)


def _with_loop(base: Path, path: Path, operator: str, rounds: int) -> Path:
    """Put the output of a model through a loop, and write the file."""
    model = onnx.load(base)
    graph = model.graph
    graph.node[-1].output[0] = "enlarged"

    def value(name: str, type: int, shape: list[int] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, type, shape)

    axis: dict[str, Any] = {"axis": 0} if operator == "Concat" else {}
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still_on"]),
            helper.make_node(operator, ["carried", "carried"], ["next"], **axis),
        ],
        "round",
        [value("number", TensorProto.INT64, []), value("on", TensorProto.BOOL, []), value("carried", TensorProto.FLOAT, None)],
        [value("still_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )
    graph.initializer.append(numpy_helper.from_array(np.array(rounds, np.int64), "rounds"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "begin"))
    graph.node.append(helper.make_node("Loop", ["rounds", "begin", "enlarged"], ["large"], body=body))
    graph.node.append(helper.make_node("ReduceMax", ["large"], ["largest"], keepdims=0))
    graph.node.append(helper.make_node("Add", ["enlarged", "largest"], ["output"]))
    onnx.save(model, path)
    return path


class Service(httpx.Client):
    """A client of one running app."""

    def __init__(
        self, app: FastAPI, address: tuple[str, int], server: HttpServer, operation: tuple[str, int] | None = None
    ) -> None:
        super().__init__(base_url=f"http://{address[0]}:{address[1]}", timeout=30)
        self.app = app
        self.address = address
        self.server = server
        self.operation = operation
        """The address of the port for operating the service, if it has one."""
        self.state: ServiceState = app.state.upconv


@pytest.fixture(autouse=True, scope="session")
def _jobs_in_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Jobs and proofs of the user who runs the tests are left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", "/dev/null")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@contextmanager
def _running(**settings: Any) -> Iterator[Service]:
    chosen = Settings(**{"drain_s": 5, **settings})
    app = create_app(chosen)
    server = HttpServer(app, chosen, chosen.max_connections or MOST_CONNECTIONS)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        operation = None if chosen.admin_port is None else stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listener.getsockname()
        thread = threading.Thread(target=asyncio.run, args=(server.run_app(Listeners(listener, operation)),))
        thread.start()
        try:
            wait_until(lambda: server.started)
            with Service(app, address, server, operation.getsockname() if operation else None) as service:
                yield service
        finally:
            server.should_exit = app.state.upconv.draining = True  # as at a signal, but the process goes on
            thread.join(60)
    assert not thread.is_alive(), "".join(traceback.format_stack(sys._current_frames()[thread.ident or 0]))


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractContextManager[Service]]:
    """Runs a service with the settings given."""
    return _running


@pytest.fixture(scope="session")
def client(nearest_x2: Path) -> Iterator[Service]:
    """A service for tests that leave no trace in it."""
    with _running(models=(nearest_x2,), workers=1) as service:
        yield service


@pytest.fixture(scope="session")
def platform(running: Callable[..., Any], nearest_x2: Path, decoder: Path, adder: Path) -> Iterator[Any]:
    """A service of three models, for tests that leave no trace but counts."""
    with running(models=(nearest_x2, decoder, adder), workers=1, max_json_bytes=100_000) as service:
        yield service


@pytest.fixture
def service(nearest_x2: Path) -> Iterator[Service]:
    """A service of the test's own."""
    with _running(models=(nearest_x2,), workers=1) as service:
        yield service


@pytest.fixture
def client_with(nearest_x2: Path) -> Callable[..., AbstractContextManager[Service]]:
    """A service that is set up otherwise."""
    return lambda **settings: _running(**{"models": (nearest_x2,), "workers": 1, **settings})


@pytest.fixture
def app(nearest_x2: Path) -> FastAPI:
    """The app before its lifespan has begun."""
    return create_app(Settings(models=(nearest_x2,), workers=1))


@pytest.fixture
def ask() -> Callable[..., httpx.Response]:
    """Send one request to an ASGI app, without its lifespan."""

    def send(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return anyio.run(once)

    return send


@pytest.fixture
def encoded(photograph: Callable[[int, int], np.ndarray]) -> Encoded:
    """The bytes of an image file."""

    def make(format: str = "png", height: int = 12, width: int = 20) -> bytes:
        if format == "gif":
            import pyvips

            gif: bytes = pyvips.Image.new_from_memory(
                photograph(height, width).data, width, height, 3, "uchar"
            ).gifsave_buffer()
            return gif
        return codecs.encode(Picture(photograph(height, width)), format)[0]

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *command.split(), *files], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


class Gate:
    """Holds every tile until it is opened."""

    def __init__(self) -> None:
        self.tiles = 0
        """How many were begun."""
        self.opened = threading.Event()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """From `gate.tiles = 0` on, tiles wait at the gate; to be used after the models are warm."""
    gate = Gate()
    run = LocalExecutor.run

    def wait(executor: LocalExecutor, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        gate.tiles += 1
        assert gate.opened.wait(30)
        return run(executor, tensor, cancellation)

    monkeypatch.setattr(LocalExecutor, "run", wait)
    return gate


def wait_until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[[Callable[[], bool]], None]:
    return wait_until


def web_runtime_folder(tmp_path: Path) -> Path:
    """Write a folder as `upconv web-runtime` does, of a package with tiny files."""
    package = tmp_path / "node_modules" / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text('{"name": "onnxruntime-web", "version": "1.2.3"}')
    for name in FILES:
        (package / "dist" / name).write_bytes(b"\0asm...." if name.endswith(".wasm") else b"export {};")
    return write_runtime(package, tmp_path / "runtime").folder
