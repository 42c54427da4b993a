from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from upconv.service.network.strict_http import HEAD_BYTES

Connect = Callable[..., socket.socket]
Received = Callable[[socket.socket], bytes]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UPSCALE = b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
        HEALTH,
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    ],
    ids=["nothing", "part of a line", "part of the headers", "between requests", "rest of a body that nobody reads"],
)
def test_connections_that_wait_are_closed(client_with: Any, connect: Connect, received: Received, data: bytes) -> None:
    with client_with(stall_s=0.3) as client:
        begun = time.monotonic()
        answers = received(connect(client.address, data))
        assert time.monotonic() - begun > 0.3
        assert answers.count(b"HTTP/1.1 ") == (b"\r\n\r\n" in data)


def test_a_head_that_trickles_is_closed(client_with: Any, connect: Connect) -> None:
    with client_with(stall_s=0.3) as client:
        connection = connect(client.address, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012
            for _ in range(400):
                connection.sendall(b"a")
                time.sleep(0.05)


def test_a_request_after_a_pause_has_its_own_time(client_with: Any, connect: Connect) -> None:
    with client_with(stall_s=1) as client:
        connection = connect(client.address)
        for _ in range(3):
            time.sleep(0.6)
            connection.sendall(HEALTH[:20])
            time.sleep(0.6)
            connection.sendall(HEALTH[20:])
            assert connection.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
            while b"live" not in connection.recv(1 << 16):
                pass


@pytest.mark.parametrize(("pause_s", "complete"), [(0.0, True), (None, False)])
def test_slow_readers_are_let_go(
    client_with: Any, connect: Connect, received: Received, bulk: Any, wait_until: Any, pause_s: float | None, complete: bool
) -> None:
    size = 32 << 20
    with client_with(stall_s=0.5) as client:
        path = bulk(client, size)
        connection = connect(client.address, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        if not complete:
            wait_until(lambda: client.state.admission.results.bytes == size)
            wait_until(lambda: client.state.admission.results.bytes == 0)
            wait_until(lambda: len(client.server.table) == 0)
        assert (len(received(connection)) > size) is complete


def test_a_client_over_its_bound_replaces_its_own_connections(client_with: Any, connect: Connect, wait_until: Any) -> None:
    with client_with(max_connections_per_client=4) as client:
        other = connect(client.address, b"GET", source="127.0.0.2")
        waiting = [connect(client.address, b"GET") for _ in range(4)]
        wait_until(lambda: len(client.server.table) == 5)
        assert httpx.get(f"{client.base_url}/v1/models").status_code == 200
        assert waiting[0].recv(1) == b""
        waiting[-1].settimeout(0.2)
        for still_open in (waiting[-1], other):
            still_open.settimeout(0.2)
            with pytest.raises(TimeoutError):
                still_open.recv(1)


def test_health_is_answered_if_all_connections_work(
    client_with: Any, connect: Connect, received: Received, wait_until: Any, encoded: Any
) -> None:
    with client_with(max_connections=16) as client:
        bodies = [connect(client.address, UPSCALE) for _ in range(16)]
        wait_until(lambda: len(client.server.table) == 16)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert httpx.get(f"{client.base_url}{path}").status_code == 200
        refused = httpx.post(f"{client.base_url}/v1/upscale", content=encoded())
        assert (refused.status_code, refused.json()["type"]) == (503, "/docs#too-many-connections")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-request-id"]
        assert "error" in httpx.get(f"{client.base_url}/v2/models/x").json()
        bodies.pop().close()
        wait_until(lambda: len(client.server.table) == 15)
        assert httpx.post(f"{client.base_url}/v1/upscale", content=encoded()).status_code == 200
        for body in bodies:
            body.close()  # otherwise the service waits for the rest when it ends


def test_events_make_room_for_requests(
    client_with: Any, connect: Connect, encoded: Any, request: pytest.FixtureRequest
) -> None:
    with client_with(max_connections_per_client=16) as client:
        gate = request.getfixturevalue("gate")
        job = client.post("/v1/jobs", content=encoded()).json()["id"]
        events = [connect(client.address, f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for _ in range(16)]
        for connection in events[2:]:
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert client.get("/v1/models").status_code == 200
        gate.opened.set()


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not valid HTTP"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "not valid HTTP"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * HEAD_BYTES + b"\r\n\r\n", 431, "32768 bytes"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 400, "Transfer-Encoding"),
        (b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "illegal chunk header"),
    ],
)
def test_what_is_not_http_gets_a_problem(
    client: Any, connect: Connect, received: Received, request_: bytes, status: int, words: str
) -> None:
    head, _, body = received(connect(client.address, request_)).partition(b"\r\n\r\n")
    lines = dict(line.lower().split(": ", 1) for line in head.decode().splitlines()[1:])
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (lines["content-type"], lines["connection"]) == ("application/problem+json", "close")
    assert {"x-request-id", "x-content-type-options", "content-security-policy", "date"} <= lines.keys()
    problem = json.loads(body)
    assert problem["status"] == status
    assert words in problem["detail"]


def test_nothing_is_read_after_a_fault(client: Any, connect: Connect, received: Received) -> None:
    smuggled = (
        b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH
    )
    connection = connect(client.address, smuggled)
    connection.sendall(HEALTH * 9)
    answers = received(connection)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.startswith(b"HTTP/1.1 400 ")


def test_damaged_chunks_end_the_request(service: Any, connect: Connect, received: Received, wait_until: Any) -> None:
    head = b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    connection = connect(service.address, head)
    wait_until(lambda: service.state.admission.bytes == 3)
    connection.sendall(b"no chunk\r\n")
    assert received(connection).startswith(b"HTTP/1.1 400 ")
    wait_until(lambda: service.state.admission.bytes == 0)
    assert 'upconv_requests_total{method="other",route="unknown",status="400"} 1.0' in service.get("/metrics").text


def test_requests_with_upgrade_are_answered(client: Any, connect: Connect) -> None:
    connection = connect(client.address, HEALTH[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_many_half_open_connections_leave_the_service_free(client_with: Any, connect: Connect, encoded: Any) -> None:
    with client_with(max_connections=64) as client, ThreadPoolExecutor(4) as pool:
        for number in range(300):
            connect(client.address, b"GET / HTTP/1.1\r\nX-A: ", source=f"127.0.1.{number % 200 + 1}")
        answers = list(pool.map(lambda _: httpx.post(f"{client.base_url}/v1/upscale", content=encoded()), range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8
        assert len(client.server.table) <= 64 + 8


@pytest.mark.parametrize("asks", [True, False])
def test_a_connection_that_is_accepted_while_the_service_stops_ends(
    client_with: Any, connect: Connect, received: Received, asks: bool
) -> None:
    """The loop is busy while the client connects, so it accepts and begins to stop in the same round."""
    with client_with(drain_s=60) as client:
        client.server.servers[0].get_loop().call_soon_threadsafe(time.sleep, 0.5)
        connection = connect(client.address, HEALTH if asks else b"")
        client.server.should_exit = True
        connection.settimeout(20)
        answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 200 ") if asks else answer == b""
