"""The client and the scheme of a request behind trusted proxies.

uvicorn's `ProxyHeadersMiddleware` does not read `Forwarded` (https://www.rfc-editor.org/rfc/rfc7239), and trusts neither the
peers of a unix socket nor IPv4 networks on a socket for IPv6.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from upconv.service.network.connection_table import plain_address
from upconv.service.settings import UNIX_PEER

_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PAIR = re.compile(r'\s*(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^;,\s]*))\s*(?:;|$)')
_SCHEMES = ("http", "https")


class TrustedProxies:
    """The networks of trusted proxies."""

    def __init__(self, words: Iterable[str]) -> None:
        words = set(words)
        self._unix = UNIX_PEER in words
        self._networks = [ipaddress.ip_network(word, strict=False) for word in words - {UNIX_PEER}]

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def trusts(self, address: str | None) -> bool:
        """Return true if this is the address of a trusted proxy; `None` is a peer of the unix socket."""
        if address is None:
            return self._unix
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


@dataclass(frozen=True)
class _Hop:
    """What a proxy says of the request that it received."""

    address: str | None
    """The address of its peer; `None` if it is unknown or hidden."""
    scheme: str | None


class Forwarding:
    """ASGI middleware that sets the client and the scheme that trusted proxies state.

    Each proxy appends the address of its peer, so the client is the last address that is not a trusted proxy's. A proxy passes on
    a header that it does not know, and a client may have written it. So if both kinds of headers came and name different
    clients, neither is believed.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        peer = scope.get("client")
        if scope["type"] == "http" and self._proxies.trusts(peer[0] if peer else None):
            headers = Headers(scope=scope)
            found = [self._client(hops) for hops in (_forwarded(headers), _x_forwarded(headers)) if hops]
            if found and len({hop.address for hop in found}) == 1:
                scope = {**scope, **_replaced(found)}
        await self._app(scope, receive, send)

    def _client(self, hops: list[_Hop]) -> _Hop:
        """Return the last hop whose peer is not trusted, or else the first."""
        client = hops[-1]
        for hop in reversed(hops):
            if hop.address is None:
                break
            client = hop
            if not self._proxies.trusts(hop.address):
                break
        return client


def _replaced(found: list[_Hop]) -> dict[str, object]:
    scheme = next((hop.scheme for hop in found if hop.scheme in _SCHEMES), None)
    client = {"client": (found[0].address, 0)} if found[0].address else {}
    return {**client, **({"scheme": scheme} if scheme else {})}


def _x_forwarded(headers: Headers) -> list[_Hop]:
    schemes = headers.getlist("x-forwarded-proto")
    scheme = schemes[0].strip().lower() if len(schemes) == 1 else None
    addresses = ",".join(headers.getlist("x-forwarded-for"))
    if not addresses:
        return [_Hop(None, scheme)] if scheme else []
    return [_Hop(_address(part), scheme) for part in addresses.split(",")]


def _forwarded(headers: Headers) -> list[_Hop]:
    elements = _ELEMENT.findall(",".join(headers.getlist("forwarded")))
    pairs = [{name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(element)} for element in elements]
    return [_Hop(_address(each.get("for", "")), each.get("proto", "").lower() or None) for each in pairs]


def _address(text: str) -> str | None:
    """Return the address of `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`; `None` for other texts."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return plain_address(str(ipaddress.ip_address(text)))
    except ValueError:
        return None
