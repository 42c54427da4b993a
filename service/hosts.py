"""The hosts that the service may call, and connections to their addresses only.

A name is checked when a URL is given. Its addresses are checked when a connection is made, because the owner of a name can
change them at any time, for example to an address inside of the operator's network.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Self
from urllib.parse import urlsplit

import anyio
import httpcore

from upconv.runtime.errors import ParameterError, UpconvError

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(UpconvError):
    """The name of a host has no address that the service may call."""


@dataclass(frozen=True)
class HostRules:
    """The hosts and the networks that the operator allows."""

    hosts: frozenset[tuple[str, str, int | None]] = frozenset()
    """Schemes, each with a name or an address and its port; `None` for the port of the scheme."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose addresses are allowed although they are not public."""
    option: str = "--webhook-hosts"
    """The option that sets the rules, for messages."""

    @classmethod
    def of(cls, entries: Iterable[str], option: str = "--webhook-hosts") -> Self:
        """Return the rules of a setting, whose entries are HOST, HOST:PORT or a network such as 10.0.0.0/8.

        With https:// or http:// in front, a host allows this scheme only. An entry that is an address itself allows that
        address. Raises `ParameterError` for an entry of another form.
        """
        hosts, networks = set[tuple[str, str, int | None]](), list[IPv4Network | IPv6Network]()
        for entry in entries:
            scheme, _, rest = entry.rpartition("://")
            try:
                if not scheme and "/" in entry:
                    networks.append(ip_network(entry))
                    continue
                parts = urlsplit(f"//{rest}")
                host, port = _plain(parts.hostname or ""), parts.port
            except ValueError:
                host, port = "", None
            if not host or "@" in entry or parts.netloc != rest or scheme not in ("", *_PORTS) or entry.startswith(":"):
                raise ParameterError(
                    f"{entry!r} is no host; expected a name, a name and a port, https:// and a name, or a network such as 10.0.0.0/8"
                )
            hosts.update((each, host, port) for each in ([scheme] if scheme else _PORTS))
            if (address := _address(host)) is not None:
                networks.append(ip_network(address))
        return cls(frozenset(hosts), tuple(networks), option)

    def check(self, url: str) -> None:
        """Raise `ParameterError` if the service may not call `url`."""
        try:
            parts = urlsplit(url)
            host, port = _plain(parts.hostname or ""), parts.port
        except ValueError as error:
            raise ParameterError(f"the URL cannot be read: {error}") from error
        if parts.scheme not in _PORTS or not host or "@" in parts.netloc or parts.fragment or not _is_plain(url):
            raise ParameterError("the URL must begin with https:// or http:// and hold no user, fragment or blank")
        usual = _PORTS[parts.scheme]
        ports = {port or usual, None} if port in (None, usual) else {port}
        if not {(parts.scheme, host, each) for each in ports} & self.hosts:
            allowed = "it calls none" if not self.hosts else "its operator did not allow this one"
            raise ParameterError(f"the service calls only hosts that its operator allows ({self.option}), and {allowed}")

    def allows(self, address: str) -> bool:
        """Return true if the service may connect to this address: a public one, or one of the allowed networks."""
        found = _inner(ip_address(address))
        inside = any(found.version == network.version and found in network for network in self.networks)
        return inside or (found.is_global and not found.is_multicast)


class AllowedConnections(httpcore.AsyncNetworkBackend):
    """Opens connections to allowed addresses only. TLS still checks the certificate of the name."""

    def __init__(self, rules: HostRules) -> None:
        self._rules = rules
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that is allowed and answers.

        Raises `ForbiddenAddressError` if no address is allowed, and `httpcore.ConnectError` if none answers.
        """
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not found: {error}") from error
        addresses = dict.fromkeys(str(each[4][0]) for each in found)
        allowed = [address for address in addresses if self._rules.allows(address)]
        if not allowed:
            raise ForbiddenAddressError(
                f"{host} is at {', '.join(addresses)}, which is not a public address; allow its network by {self._rules.option}"
            )
        for address in allowed[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "\\" not in url


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to, if any (RFC 4291, 3056, 6052), else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
