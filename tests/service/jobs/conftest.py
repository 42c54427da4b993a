"""A host that receives what the service sends to the URLs of jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.service.object_store import ObjectStore, object_store
from tests.service.postgres import PostgresServer, missing, postgres_server

from upconv.service.jobs import deliveries


class Receiver(ThreadingHTTPServer):
    """Receives messages, and answers with the statuses given, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = list(statuses)
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.lines: list[str] = []
        """The method and the path of each message."""
        self.held = threading.Event()
        """Messages to /hold are answered when this is set."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.messages.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.lines.append(f"{self.command} {self.path}")
        if self.path.startswith("/hold"):
            self.server.held.wait(20)
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    with Receiver(*getattr(request, "param", (204,))) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.held.set()
        receiver.shutdown()
        thread.join()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr(deliveries, "_POLL_S", 0.02)


@pytest.fixture
def count() -> Callable[[Any, str, str], int]:
    """The number of attempts of a channel that ended so, from the metrics of a service."""

    def of(client: Any, counter: str, outcome: str) -> int:
        lines, name = client.get("/metrics").text.splitlines(), f'upconv_{counter}_total{{outcome="{outcome}"}} '
        return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))

    return of


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that all tests share; each one makes a schema of its own."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the test's own, which it may stop."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[ObjectStore]:
    """An S3 server that all tests share; each one has a prefix of its own."""
    with object_store() as store:
        yield store


@pytest.fixture
def bucket(bucket_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The S3 server, as the environment names it."""
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    return bucket_server
