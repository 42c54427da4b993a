from __future__ import annotations

import pytest

from upconv.service.network.connection_table import ConnectionTable, Standing, client_of, plain_address


class Recorded:
    """A connection that records that it is let go."""

    def __init__(self, closed: list[Recorded]) -> None:
        self._closed = closed

    def let_go(self) -> None:
        self._closed.append(self)


class Table:
    """A table with its connections."""

    def __init__(self, bound: int, per_client: int) -> None:
        self.closed: list[Recorded] = []
        self.table = ConnectionTable(bound, per_client, lambda address: address == "10.0.0.1")

    def open(self, address: str | None = "192.0.2.1", standing: Standing = Standing.IDLE) -> Recorded:
        connection = Recorded(self.closed)
        self.table.add(connection, address)
        if standing is not Standing.IDLE:
            self.table.move(connection, standing)
        return connection


def test_no_connection_is_let_go_at_the_bound() -> None:
    held = Table(3, 3)
    opened = [held.open() for _ in range(3)]
    assert (len(held.table), held.closed) == (3, [])
    assert not any(held.table.crowded(each) for each in opened)


def test_one_over_the_bound_replaces_the_one_that_waited_longest() -> None:
    held = Table(3, 3)
    first, second, third = (held.open() for _ in range(3))
    held.table.move(first, Standing.WORK)
    held.table.move(first, Standing.IDLE)
    newcomer = held.open()
    assert held.closed == [second], "the first one waits since its last request"
    held.open()
    assert held.closed == [second, third]
    assert not held.table.crowded(newcomer)


def test_idle_connections_go_before_events_and_work_stays() -> None:
    held = Table(3, 3)
    held.open(standing=Standing.WORK)
    events, idle = held.open(standing=Standing.EVENTS), held.open()
    held.open(standing=Standing.WORK)
    assert held.closed == [idle]
    held.open(standing=Standing.WORK)
    assert held.closed == [idle, events]


def test_if_all_work_the_next_one_is_crowded_until_one_ends() -> None:
    held = Table(2, 9)
    first, second = (held.open(standing=Standing.WORK) for _ in range(2))
    third = held.open()
    assert (held.closed, held.table.crowded(third), held.table.crowded(second)) == ([], True, False)
    fourth = held.open()
    assert held.closed == [third], "so the crowd does not grow"
    assert held.table.crowded(fourth)
    held.table.remove(first)
    assert not held.table.crowded(fourth)
    held.table.remove(third)
    assert len(held.table) == 2


def test_bound_of_one_client() -> None:
    held = Table(9, 2)
    own = [held.open("192.0.2.1") for _ in range(2)]
    others = [held.open("192.0.2.2"), held.open(None), held.open("10.0.0.1"), held.open("10.0.0.1"), held.open("10.0.0.1")]
    assert held.closed == [], "a trusted proxy and a unix socket have no bound of their own"
    held.open("192.0.2.1")
    assert held.closed == own[:1]
    assert not any(map(held.table.crowded, others))
    for each in others:
        held.table.remove(each)
    assert len(held.table) == 2


def test_relief_closes_those_that_wait() -> None:
    held = Table(9, 9)
    first, work, second, third = held.open(), held.open(standing=Standing.WORK), held.open(), held.open()
    held.table.relieve(2)
    assert held.closed == [first, second]
    held.table.relieve(9)
    assert held.closed == [first, second, third]
    assert held.table.connections == [work]
    assert held.table.let_go_count == 3


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("no address", "no address"),
    ],
)
def test_plain_addresses(address: str, plain: str) -> None:
    assert plain_address(address) == plain


def test_one_client_of_ipv6_has_a_network() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1") != client_of("2001:db8:0:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of("no address") == "no address"
