"""A clock that stands still, and tickets of requests whose body has arrived, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from upconv.service.admission import Admission, Ticket
from upconv.service.throughput import Throughput


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(
    max_pictures: int = 10,
    max_bytes: int = 100,
    max_wait_s: float = 10,
    cores: int = 1,
    clock: Clock | None = None,
    max_long: int | None = None,
) -> Admission:
    return Admission(max_pictures, max_bytes, max_wait_s, Throughput(cores, clock or Clock()), max_long)


@contextmanager
def admitted(counted: Admission) -> Iterator[Ticket]:
    """A ticket whose body has arrived."""
    with counted.ticket() as ticket:
        ticket.admit()
        yield ticket
