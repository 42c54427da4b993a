"""One endpoint: the tiles that it holds, its speed, and whether it gets more."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from upconv.runtime.remote.address import EndpointAddress
from upconv.runtime.remote.inspection import IN_FLIGHT, Inspected
from upconv.runtime.remote.tile_client import TileClient

EndpointState = Literal["up", "ejected", "refused"]
"""`up`: it gets tiles. `ejected`: it failed and is tried again. `refused`: it serves another function, and is tried again."""

FIRST_PAUSE_S = 0.25
"""Seconds until an endpoint is tried again after a failure. Each further failure doubles them."""

LONGEST_PAUSE_S = 30.0
"""The most seconds between two attempts."""

REMEMBERED = 16
"""The number of tiles from which the speed of an endpoint is known."""

FIXED_PX = 128 * 128
"""The cost of a tile beside its pixels, in pixels: a small tile takes as long as the message."""

OVERDUE_S, OVERDUE = 0.5, 2.0
"""A tile is overdue after this many seconds, and this multiple of the longest of the remembered tiles."""


@dataclass(frozen=True)
class EndpointReport:
    """The state of one endpoint, and what it did since the model was opened."""

    url: str
    state: EndpointState
    reason: str | None
    """Why it gets no tiles; `None` if it is up."""
    in_flight: int
    """Tiles that it holds."""
    tiles: int
    """Tiles that it computed."""
    failures: int
    """Tiles that failed there."""
    retries: int
    """Tiles that were sent elsewhere, because they failed or were overdue there."""
    proof: str | None
    """Its difference from the processor on a tile of a photograph; `None` if it was never up."""


@dataclass(eq=False)
class Endpoint:
    """One endpoint. The fleet guards it with a lock."""

    address: EndpointAddress
    client: TileClient
    most: int = IN_FLIGHT
    """The most tiles that it holds at the same time."""
    window: float = IN_FLIGHT
    """The tiles that it holds at the moment; fewer than `most` after it said that it is busy."""
    known: Inspected | None = None
    """What the last inspection found; `None` before the first one that passed."""
    state: EndpointState = "ejected"
    reason: str | None = "was not reached yet"
    silent: bool = False
    """True if it was ejected because it was silent."""
    outstanding: int = 0
    """Tiles that it holds."""
    outstanding_px: int = 0
    """Their pixels, with `FIXED_PX` for each."""
    pause_s: float = FIRST_PAUSE_S
    """Seconds until the next attempt after an ejection."""
    up_since: float = 0.0
    last_answer: float = 0.0
    """Time of `time.monotonic()` at which it last answered."""
    paces: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Seconds per pixel of the last tiles."""
    tiles: int = 0
    failures: int = 0
    retries: int = 0

    @property
    def up(self) -> bool:
        """True if it gets tiles."""
        return self.state == "up"

    @property
    def free(self) -> bool:
        """True if it gets tiles and holds fewer than it can."""
        return self.up and self.outstanding < max(1, int(self.window))

    def admit(self, found: Inspected) -> None:
        """Give it tiles from now on."""
        self.known, self.state, self.reason, self.silent = found, "up", None, False
        self.most = found.in_flight
        self.window = min(self.window, float(self.most)) if self.up_since else float(self.most)
        self.up_since = self.last_answer = time.monotonic()

    def eject(self, state: EndpointState, reason: str) -> None:
        """Give it no tiles until it is admitted again."""
        lasted = time.monotonic() - self.up_since
        again = self.up_since > 0 and lasted < 10 * self.pause_s
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S) if again else FIRST_PAUSE_S
        self.state, self.reason = state, reason

    def take(self, px: int) -> None:
        """Count a tile that is sent."""
        self.outstanding += 1
        self.outstanding_px += px + FIXED_PX

    def give_back(self, px: int) -> None:
        """Count a tile that it does not hold any more."""
        self.outstanding -= 1
        self.outstanding_px -= px + FIXED_PX

    def answered(self, px: int, seconds: float) -> None:
        """Count a tile that it computed."""
        self.tiles += 1
        self.last_answer = time.monotonic()
        self.paces.append(seconds / (px + FIXED_PX))
        self.window = min(float(self.most), self.window + 1 / max(1.0, self.window))

    def finish_s(self, px: int) -> float:
        """Return the predicted seconds until it has computed all that it holds and one more tile; 0 if its speed is not known."""
        return (self.outstanding_px + px + FIXED_PX) * sum(self.paces) / max(1, len(self.paces))

    def overdue_s(self, px: int) -> float:
        """Return the seconds after which a tile is overdue."""
        alone = 0.0 if self.known is None else self.known.seconds_per_px * self.known.in_flight
        return OVERDUE_S + OVERDUE * max(self.paces, default=alone) * (px + FIXED_PX)

    def report(self) -> EndpointReport:
        """Return the state for its reader."""
        proof = None if self.known is None else str(self.known.proof)
        return EndpointReport(
            self.address.url, self.state, self.reason, self.outstanding, self.tiles, self.failures, self.retries, proof
        )
