from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from upconv.service.network.forwarding import Forwarding, TrustedProxies

PROXIES = ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")


def seen(peer: str | None, headers: list[tuple[str, str]], trusted: tuple[str, ...] = PROXIES) -> tuple[str | None, str]:
    """The client and the scheme that the app sees."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def receive() -> Message:
        raise AssertionError("the middleware reads nothing")

    async def send(message: Message) -> None:
        raise AssertionError("the middleware sends nothing")

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope: dict[str, Any] = {"type": "http", "client": (peer, 1) if peer else None, "scheme": "http", "headers": raw}
    asyncio.run(Forwarding(app, TrustedProxies(trusted))(scope, receive, send))
    client = found[0]["client"]
    return client[0] if client else None, found[0]["scheme"]


@pytest.mark.parametrize(
    ("peer", "headers", "client", "scheme"),
    [
        ("10.1.2.3", {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}, "203.0.113.7", "https"),
        ("198.51.100.9", {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}, "198.51.100.9", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "1.2.3.4, 203.0.113.7"}, "203.0.113.7", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "1.2.3.4, 203.0.113.7, 10.9.9.9"}, "203.0.113.7", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "10.9.9.9"}, "10.9.9.9", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "203.0.113.7:4711"}, "203.0.113.7", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "[2a00::1]:4711"}, "2a00::1", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "2a00::1"}, "2a00::1", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "::ffff:203.0.113.7"}, "203.0.113.7", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "<script>"}, "10.1.2.3", "http"),
        ("10.1.2.3", {"X-Forwarded-For": "unknown, 10.9.9.9"}, "10.9.9.9", "http"),
        ("10.1.2.3", {"X-Forwarded-For": ""}, "10.1.2.3", "http"),
        ("10.1.2.3", {"X-Forwarded-Proto": "gopher"}, "10.1.2.3", "http"),
        ("10.1.2.3", {"X-Forwarded-Proto": "HTTPS"}, "10.1.2.3", "https"),
        ("192.0.2.1", {"Forwarded": "for=203.0.113.7;proto=https;by=10.1.2.3"}, "203.0.113.7", "https"),
        ("2001:db8::5", {"Forwarded": 'For="[2a00::1]:4711"; Proto=https'}, "2a00::1", "https"),
        ("10.1.2.3", {"Forwarded": "for=1.2.3.4;proto=http, for=203.0.113.7;proto=https"}, "203.0.113.7", "https"),
        ("10.1.2.3", {"Forwarded": 'for="_a,b;for=1.2.3.4", for=203.0.113.7'}, "203.0.113.7", "http"),
        ("10.1.2.3", {"Forwarded": "for=_hidden;proto=https"}, "10.1.2.3", "https"),
        ("10.1.2.3", {"Forwarded": "nonsense"}, "10.1.2.3", "http"),
        ("10.1.2.3", {"Forwarded": "for=203.0.113.7", "X-Forwarded-For": "203.0.113.7"}, "203.0.113.7", "http"),
        ("10.1.2.3", {"Forwarded": "for=1.2.3.4", "X-Forwarded-For": "203.0.113.7"}, "10.1.2.3", "http"),
        (None, {"X-Forwarded-For": "203.0.113.7"}, None, "http"),
    ],
)
def test_client_and_scheme(peer: str | None, headers: dict[str, str], client: str | None, scheme: str) -> None:
    assert seen(peer, list(headers.items())) == (client, scheme)


def test_a_header_that_comes_twice_is_one_list() -> None:
    assert seen("10.0.0.1", [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "203.0.113.7")])[0] == "203.0.113.7"
    assert seen("10.0.0.1", [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")])[1] == "http"


def test_peers_of_the_unix_socket() -> None:
    assert seen(None, [("X-Forwarded-For", "203.0.113.7")], ("unix",))[0] == "203.0.113.7"
    assert not TrustedProxies(("unix",)).trusts("10.0.0.1")


@pytest.mark.parametrize(
    ("address", "trusted"), [("10.255.255.255", True), ("11.0.0.0", False), ("192.0.2.1", True), ("x", False)]
)
def test_networks(address: str, trusted: bool) -> None:
    assert TrustedProxies(PROXIES).trusts(address) is trusted
    assert bool(TrustedProxies(PROXIES)) is True
    assert bool(TrustedProxies(())) is False
