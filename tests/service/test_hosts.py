from __future__ import annotations

import socket
from typing import Any

import anyio
import httpcore
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.hosts import AllowedConnections, ForbiddenAddressError, HostRules

SCHEMES = ("https://only.example.com", "http://plain.example.com:9000")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example.com/a?b=c", True),
        ("http://hooks.example.com:80/", True),
        ("https://HOOKS.example.com.:443", True),
        ("https://hooks.example.com:8443/", False),
        ("http://hooks.example.com:443/", False),
        ("https://other.example.com:8443/", True),
        ("https://other.example.com/", False),
        ("https://[::1]:9/", True),
        ("https://only.example.com/", True),
        ("https://only.example.com:443/", True),
        ("http://only.example.com/", False),
        ("http://only.example.com:443/", False),
        ("http://plain.example.com:9000/", True),
        ("https://plain.example.com:9000/", False),
        ("https://example.com/", False),
        ("https://xhooks.example.com/", False),
        ("https://hooks.example.com.evil.test/", False),
        ("https://hooks.example.com@evil.test/", False),
        ("https://user:secret@hooks.example.com/", False),
        ("https://hooks.example.com\\@evil.test/", False),
        ("https://hooks.example.com/#part", False),
        ("https://hooks.example.com/a b", False),
        ("https://hooks.example.com/\r\nx: y", False),
        ("https://hööks.example.com/", False),
        ("https://hooks.example.com:port/", False),
        ("https://[hooks.example.com/", False),
        ("ftp://hooks.example.com/", False),
        ("file:///etc/passwd", False),
        ("//hooks.example.com/", False),
        ("", False),
    ],
)
def test_urls(url: str, allowed: bool) -> None:
    rules = HostRules.of(["hooks.example.com", "Other.example.com:8443", "[::1]:9", "10.0.0.0/8", *SCHEMES])
    if allowed:
        rules.check(url)
    else:
        with pytest.raises(ParameterError):
            rules.check(url)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "a@b",
        "10.0.0.1/8",
        "host:port",
        "host:99999",
        "[::1",
        "ftp://a",
        "https://",
        "https://a/",
        "https://a/b",
        "://a",
        "a/b",
        "a?b",
        "a#b",
        "https://10.0.0.0/8",
    ],
)
def test_entries_that_are_no_host(entry: str) -> None:
    with pytest.raises(ParameterError, match="is no host"):
        HostRules.of([entry])


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", True),
        ("11.0.0.0", True),
        ("9.255.255.255", True),
        ("192.168.0.7", True),
        ("192.168.0.8", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("172.16.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%lo", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses(address: str, allowed: bool) -> None:
    assert HostRules.of(["10.0.0.0/8", "192.168.0.7"]).allows(address) is allowed


def connect(rules: HostRules, host: str, port: int) -> None:
    async def once() -> None:
        stream = await AllowedConnections(rules).connect_tcp(host, port, timeout=5)
        await stream.aclose()

    anyio.run(once)


def test_the_address_that_is_connected_to_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ForbiddenAddressError, match=r"localhost is at .*127\.0\.0\.1.*not a public address"):
            connect(HostRules.of(["localhost"]), "localhost", port)
        connect(HostRules.of(["localhost", "127.0.0.0/8"]), "localhost", port)
        real, asked = socket.getaddrinfo, list[str]()

        def two(name: str | bytes, *arguments: Any, **options: Any) -> Any:
            host = name.decode() if isinstance(name, bytes) else name
            asked.append(host)
            if host != "rebound.test":
                return real(host, *arguments, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("10.0.0.1", "127.0.0.1")]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        connect(HostRules.of(["rebound.test", "127.0.0.1"]), "rebound.test", port)
        assert asked[0] == "rebound.test"
        assert asked.count("rebound.test") == 1, "a second answer could be another one"


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(httpcore.ConnectError, match="is not found"):
        connect(HostRules.of(["nowhere.invalid"]), "nowhere.invalid", 80)
