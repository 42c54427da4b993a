"""The bound on the calls of one client, so that no client takes up all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upconv.service.errors import AdmissionFullError
from upconv.service.network.connection_table import client_of


class ClientCalls:
    """The open calls by client. An instance belongs to one event loop."""

    def __init__(self, bound: int, unbounded: Callable[[str | None], bool]) -> None:
        """`unbounded` tells whether an address, such as that of a proxy, may have any number of calls; `None`: a unix socket."""
        self._bound, self._unbounded = bound, unbounded
        self._open: Counter[str] = Counter()

    def with_bound(self, bound: int) -> ClientCalls:
        """Return further counts with another bound for the same clients."""
        return ClientCalls(bound, self._unbounded)

    @contextmanager
    def counting(self, address: str | None) -> Iterator[None]:
        """Count a call inside the context; raise `AdmissionFullError` if the client has too many. `None`: a unix socket."""
        if address is None or self._unbounded(address):
            yield
            return
        client = client_of(address)
        if self._open[client] >= self._bound:
            raise AdmissionFullError(f"this client has {self._bound} calls open already; try again in 1 s", 1)
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
