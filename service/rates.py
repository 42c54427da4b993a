"""Request rates: a token bucket per client, in this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from upconv.service.errors import RateLimitError

MAX_CLIENTS = 10_000
"""The clients that are remembered. The one that was silent for the longest time is forgotten first."""


class RateLimiter(Protocol):
    """A counter of the requests of clients, which refuses those that are too many."""

    shared: bool
    """True if requests are counted over all replicas at the moment."""

    async def admit(self, client: str, own_per_s: float | None = None) -> None:
        """Count a request of `client`; raise `RateLimitError` if it sent too many.

        `own_per_s` is a rate of this client that replaces the common rate.
        """


class Rates:
    """A token bucket per client: `burst` requests at once, `per_s` requests per second on average.

    `per_s` of `None` sets no limit. An instance belongs to one event loop.
    """

    shared = False

    def __init__(self, per_s: float | None, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self.burst, self._clock = per_s, burst, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def admit(self, client: str, own_per_s: float | None = None) -> None:
        """Count a request, as `take` does."""
        self.take(client, own_per_s)

    def per_s(self, own_per_s: float | None) -> float | None:
        """Return the rate of a client, which may have its own; `None` for no limit."""
        return own_per_s or self._per_s

    def take(self, client: str, own_per_s: float | None = None) -> None:
        """Count a request of `client`; raise `RateLimitError` if it sent too many.

        `own_per_s` is a rate of this client that replaces the common rate.
        """
        per_s = self.per_s(own_per_s)
        if per_s is None:
            return
        now = self._clock()
        bucket = self._buckets.setdefault(client, _Bucket(self.burst, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.at) * per_s)
        bucket.at = now
        if bucket.tokens < 1:
            raise too_many(per_s, (1 - bucket.tokens) / per_s)
        bucket.tokens -= 1

    def give_back(self, client: str) -> None:
        """Take back the last `take` of a client: its request was refused for another reason."""
        if (bucket := self._buckets.get(client)) is not None:
            bucket.tokens += 1


@dataclass
class _Bucket:
    tokens: float
    at: float


def too_many(per_s: float, wait_s: float) -> RateLimitError:
    """Return the error for a client that may send its next request after `wait_s` seconds."""
    whole_s = max(1, math.ceil(wait_s))
    return RateLimitError(
        f"this client may send {per_s:g} requests a second and has sent more; try again in {whole_s} s", whole_s
    )
