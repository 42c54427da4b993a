from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from upconv.runtime import codecs
from upconv.service.signed_urls import signature

KEY, SALT = "736563726574", "68656c6c6f"


class Host(ThreadingHTTPServer):
    """Serves a picture, and misbehaves under other paths."""

    def __init__(self, picture: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Pages)
        self.picture = picture
        self.asked: list[str] = []
        self.ended = threading.Event()


class Pages(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/hang":
            self.server.ended.wait(20)
            return
        self.send_response({"/moved": 302, "/missing": 404}.get(self.path, 200))
        self.send_header("Location", "/picture")
        self.send_header("Content-Type", "text/html")
        if self.path == "/sized":
            self.send_header("Content-Length", str(len(self.server.picture)))
        self.end_headers()
        data = {"/text": b"<html>", "/empty": b""}.get(self.path, self.server.picture)
        try:
            if self.path == "/slow":
                while not self.server.ended.wait(0.05):
                    self.wfile.write(b"x")
            self.wfile.write(data)
            while self.path == "/endless":
                self.wfile.write(bytes(65536))
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def host(encoded: Callable[..., bytes]) -> Iterator[Host]:
    with Host(encoded()) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield host
        host.ended.set()
        host.shutdown()
        thread.join()


@pytest.fixture
def fetching(client_with: Callable[..., Any], host: Host) -> Iterator[Any]:
    """A service that may take pictures from the host."""
    allowed = f"127.0.0.1:{host.server_port},localhost:{host.server_port}"
    with client_with(
        fetch_hosts=allowed, url_key=KEY, url_salt=SALT, max_bytes=100_000, stall_s=0.5, api_keys="ann:0123456789abcdef"
    ) as client:
        yield client


def signed(path: str) -> str:
    return f"/v1/upscale/{signature(path.encode(), bytes.fromhex(KEY), bytes.fromhex(SALT))}{path}"


def of(host: Host, page: str, options: str = "", name: str = "127.0.0.1") -> str:
    return signed(f"/{options}plain/http://{name}:{host.server_port}/{page}")


def test_a_picture_that_caches_may_keep(fetching: Any, host: Host) -> None:
    answer = fetching.get(of(host, "picture", "scale:3/format:webp/"))
    picture = codecs.decode(answer.content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert (picture.width, picture.height) == (60, 36)
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert "vary" not in answer.headers
    again = fetching.get(of(host, "picture", "scale:3/format:webp/"), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "public, max-age=86400")


def test_the_accept_header_changes_nothing(fetching: Any, host: Host) -> None:
    assert fetching.get(of(host, "picture"), headers={"Accept": "image/webp"}).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("page", "status", "slug"),
    [
        ("moved", 502, "source-failed"),
        ("missing", 502, "source-failed"),
        ("hang", 502, "source-failed"),
        ("slow", 502, "source-failed"),
        ("endless", 413, "too-many-bytes"),
        ("text", 415, "not-an-image"),
        ("empty", 422, "damaged-image"),
    ],
)
def test_hosts_that_misbehave(fetching: Any, host: Host, page: str, status: int, slug: str) -> None:
    answer = fetching.get(of(host, page))
    assert (answer.status_code, answer.json()["type"]) == (status, f"/docs#{slug}")
    assert "public" not in answer.headers.get("cache-control", "")
    assert host.asked == [f"/{page}"], "a redirect is not followed"
    assert fetching.state.admission.bytes == 0


def test_signatures_that_are_wrong(fetching: Any, host: Host) -> None:
    right = of(host, "picture")
    other = right.split("/")[3]
    for path in (
        right.replace(other, "x" * 43),
        right + "x",
        right.replace("/plain", "/scale:2/plain"),
        right.replace("u", "%75"),
    ):
        answer = fetching.get(path)
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#bad-signature"), path
    assert host.asked == []


def test_requests_that_are_signed_but_refused(fetching: Any, host: Host) -> None:
    for path in (
        of(host, "picture") + "?x=1",
        of(host, "picture", "depth:2/"),
        signed("/plain/http://127.0.0.1:1/"),
        signed("/a"),
    ):
        answer = fetching.get(path)
        assert (answer.status_code, answer.json()["type"]) == (422, "/docs#bad-parameter"), path
    assert host.asked == []


def test_a_name_of_a_private_address(fetching: Any, client_with: Callable[..., Any], host: Host) -> None:
    name = f"localhost:{host.server_port}"
    for networks, status in (("", 502), (",127.0.0.0/8,::1/128", 200)):
        with client_with(fetch_hosts=name + networks, url_key=KEY, url_salt=SALT) as client:
            assert client.get(of(host, "picture", name="localhost")).status_code == status
    assert host.asked == ["/picture"]


def test_a_host_that_refuses_connections(client_with: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with client_with(fetch_hosts=f"127.0.0.1:{port}", url_key=KEY, url_salt=SALT) as client:
        assert client.get(signed(f"/plain/http://127.0.0.1:{port}/")).status_code == 502


def test_a_root_path_is_not_signed(client_with: Callable[..., Any], host: Host) -> None:
    allowed = f"127.0.0.1:{host.server_port}"
    with client_with(fetch_hosts=allowed, url_key=KEY, url_salt=SALT, root_path="/v1/upscale/up") as client:
        path = of(host, "picture")
        assert [client.get(prefix + path).status_code for prefix in ("", "/v1/upscale/up")] == [200, 200]
    with client_with(fetch_hosts=allowed, url_key=KEY, url_salt=SALT, root_path="/up") as client:
        assert [client.get(prefix + path).status_code for prefix in ("", "/up", "/down")] == [200, 200, 404]


def test_head(fetching: Any, host: Host) -> None:
    got, head = (fetching.request(method, of(host, "picture")) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "cache-control"):
        assert head.headers[name] == got.headers[name]
    assert fetching.head(of(host, "missing")).status_code == 502
    assert fetching.head(of(host, "picture")[:-1]).status_code == 403


@pytest.mark.parametrize(("beyond", "status"), [(0, 200), (1, 413)])
@pytest.mark.parametrize("page", ["picture", "sized"])
def test_the_bytes_of_a_source(client_with: Callable[..., Any], host: Host, page: str, beyond: int, status: int) -> None:
    allowed, most = f"127.0.0.1:{host.server_port}", len(host.picture) - beyond
    with client_with(fetch_hosts=allowed, url_key=KEY, url_salt=SALT, max_bytes=most) as client:
        answer = client.get(of(host, page))
        assert answer.status_code == status, answer.text
        assert client.state.admission.bytes == 0


def test_rates_of_addresses_and_keys(client_with: Callable[..., Any], host: Host) -> None:
    allowed, keys = f"127.0.0.1:{host.server_port}", "ann:ann-0123456789abcdef"
    key, limits = {"X-API-Key": "ann-0123456789abcdef"}, {"rate_per_s": 0.001, "rate_burst": 2}
    with client_with(fetch_hosts=allowed, url_key=KEY, url_salt=SALT, api_keys=keys, **limits) as client:
        path = of(host, "picture")
        assert [client.get(path).status_code for _ in range(3)] == [200, 200, 429]
        refused = client.get(path)
        assert (refused.json()["type"], int(refused.headers["retry-after"]) > 1) == ("/docs#too-many-requests", True)
        assert [client.get(path, headers=key).status_code for _ in range(3)] == [200, 200, 429], "a key has a rate of its own"
        assert client.get(path, headers={"X-API-Key": "wrong-0123456789abcd"}).status_code == 429
    assert len(host.asked) == 4


def test_a_wrong_key_takes_nothing_from_a_signature(fetching: Any, host: Host) -> None:
    assert fetching.get(of(host, "picture"), headers={"X-API-Key": "wrong-0123456789abcd"}).status_code == 200


def test_it_is_off_by_default(client: httpx.Client) -> None:
    assert client.get(signed("/plain/http://127.0.0.1/")).status_code == 403
