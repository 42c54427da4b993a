"""The bounds on connections: of all clients, and of one client."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from enum import Enum
from itertools import chain
from typing import Protocol


class Standing(Enum):
    """The use of a connection, in the order in which connections are let go if there are too many. Work is never let go."""

    IDLE = "it waits for a request, or for the rest of its head"
    EVENTS = "it streams events, and its client connects again by itself"
    WORK = "a request is read, computed or answered"


class Held(Protocol):
    """A connection in the table."""

    def let_go(self) -> None:
        """Close the connection at once."""


class ConnectionTable:
    """All connections of the service.

    A connection over a bound takes the place of the one that has waited longest. If all of them work, it stays, but it is
    crowded: only the routes for operating the service are answered on it.
    """

    def __init__(self, bound: int, bound_per_client: int, unbounded: Callable[[str], bool]) -> None:
        """Create a table; `unbounded` tells whether an address, such as that of a proxy, may have any number of connections."""
        self._all, self._bound_per_client, self._unbounded = _Group(bound), bound_per_client, unbounded
        self._clients: dict[str, _Group] = {}
        self._groups: dict[Held, tuple[_Group, ...]] = {}
        self._crowded: set[Held] = set()
        self.let_go_count = 0
        """Connections that made room for others."""

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def connections(self) -> list[Held]:
        """All connections."""
        return list(self._groups)

    def add(self, connection: Held, address: str | None) -> None:
        """Add an idle connection from this address, which is `None` for a unix socket."""
        groups: tuple[_Group, ...] = (self._all,)
        if address is not None and not self._unbounded(address):
            client = client_of(address)
            groups = (self._clients.setdefault(client, _Group(self._bound_per_client, client)), self._all)
        self._groups[connection] = groups
        for group in groups:
            group.members[Standing.IDLE][connection] = None
        for group in groups:
            if not self._make_room(group, connection):
                self._crowded.add(connection)

    def remove(self, connection: Held) -> None:
        """Remove a connection, if it is in the table."""
        for group in self._groups.pop(connection, ()):
            for members in group.members.values():
                members.pop(connection, None)
            if not group.size and group.client is not None:
                del self._clients[group.client]
        self._crowded.discard(connection)

    def move(self, connection: Held, standing: Standing) -> None:
        """Record that the use of a connection changes now."""
        for group in self._groups.get(connection, ()):
            for members in group.members.values():
                members.pop(connection, None)
            group.members[standing][connection] = None

    def crowded(self, connection: Held) -> bool:
        """Return true if the connection is over a bound. Once it is not, it stays so."""
        if connection in self._crowded and all(group.size <= group.bound for group in self._groups.get(connection, ())):
            self._crowded.discard(connection)
        return connection in self._crowded

    def relieve(self, count: int) -> None:
        """Let go the `count` connections that have waited longest."""
        for _ in range(count):
            if (longest := self._all.longest_waiting()) is not None:
                self._let_go(longest)

    def _make_room(self, group: _Group, newcomer: Held) -> bool:
        while group.size > group.bound:
            longest = group.longest_waiting(newcomer)
            if longest is None:
                return False
            self._let_go(longest)
        return True

    def _let_go(self, connection: Held) -> None:
        self.remove(connection)
        self.let_go_count += 1
        connection.let_go()


class _Group:
    """Connections that share a bound, by their use, the longest waiting first."""

    def __init__(self, bound: int, client: str | None = None) -> None:
        self.bound, self.client = bound, client
        self.members: dict[Standing, dict[Held, None]] = {standing: {} for standing in Standing}

    @property
    def size(self) -> int:
        return sum(map(len, self.members.values()))

    def longest_waiting(self, newcomer: Held | None = None) -> Held | None:
        waiting = chain(self.members[Standing.IDLE], self.members[Standing.EVENTS])
        return next((connection for connection in waiting if connection is not newcomer), None)


def plain_address(address: str) -> str:
    """Return an address without the IPv6 form of IPv4 addresses, which sockets for both have, and without a zone."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def client_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network that one IPv6 customer has at least."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
