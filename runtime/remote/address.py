"""The URLs of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from upconv.runtime.errors import ParameterError

_PORTS = {"http": 80, "https": 443, "grpc": None, "grpcs": None}
"""The port of each protocol if the URL has none. There is no usual one for gRPC."""
_MODEL = re.compile(r"(?P<prefix>.*?)/v2(/models/(?P<model>[^/]+)(/versions/(?P<version>[^/]+))?)?/?$")
_PLAIN = re.compile(r"[!-~]+\Z")
"""Characters that a URL may have. `urlsplit` removes line ends, which must not get into a request."""
_EXPECTED = "expected http://HOST:PORT, https://, grpc:// or grpcs://HOST:PORT, or one of them with /v2/models/NAME"


@dataclass(frozen=True)
class EndpointAddress:
    """The place of a model on one server."""

    url: str
    """The URL as the user gave it, without a slash at the end."""
    host: str
    port: int
    secure: bool = False
    """True for TLS."""
    grpc: bool = False
    """True for gRPC, and false for HTTP."""
    prefix: str = ""
    """The path in front of `/v2`."""
    model: str | None = None
    """The name of the model at the server; `None` for the name in the contract."""
    version: str | None = None
    """The version of the model; `None` for the one that the server chooses."""

    def path(self, name: str) -> str:
        """Return the path of the model, whose contract states `name`."""
        version = "" if self.version is None else f"/versions/{quote(self.version, safe='')}"
        return f"{self.prefix}/v2/models/{quote(self.model or name, safe='@')}{version}"


def parse_address(url: str) -> EndpointAddress:
    """Return the parts of a URL. Raises `ParameterError` if it is not that of an endpoint."""
    url, shown = url.strip(), url[:200]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ParameterError(f"{shown!r} is not the URL of an endpoint: {error}; {_EXPECTED}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or not _PLAIN.match(url):
        raise ParameterError(f"{shown!r} is not the URL of an endpoint; {_EXPECTED}")
    if parts.username is not None or parts.password is not None:
        raise ParameterError(f"the URL of {parts.hostname} holds a name or a password; give the key as UPCONV_TILES_KEY")
    found = _MODEL.match(parts.path)
    prefix, model, version = parts.path.rstrip("/"), None, None
    if found is not None:
        prefix, model, version = found["prefix"], found["model"], found["version"]
    grpc = parts.scheme.startswith("grpc")
    port = port or _PORTS[parts.scheme]
    if port is None:
        raise ParameterError(
            f"{shown!r} has no port; expected {parts.scheme}://HOST:PORT, such as the --grpc-port of upconv serve"
        )
    if grpc and prefix:
        raise ParameterError(f"{shown!r} has the path {prefix[:80]!r}, and gRPC has none; leave it out, up to /v2/models/NAME")
    return EndpointAddress(
        url.rstrip("/"),
        parts.hostname,
        port,
        parts.scheme in ("https", "grpcs"),
        grpc,
        prefix,
        None if model is None else unquote(model),
        None if version is None else unquote(version),
    )


def parse_addresses(urls: Iterable[str]) -> tuple[EndpointAddress, ...]:
    """Return the addresses of all endpoints. Raises `ParameterError` if there is none, or if one is given twice."""
    addresses = tuple(map(parse_address, urls))
    if not addresses:
        raise ParameterError(f"there is no endpoint for the tiles; {_EXPECTED}")
    for address in addresses:
        if sum(address.url == other.url for other in addresses) > 1:
            raise ParameterError(f"{address.url} is given twice; give each endpoint once")
    return addresses
