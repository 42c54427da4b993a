"""The options of remote tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import get_args

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import NumberFormat

MOST_IN_FLIGHT = 64
"""The most tiles that one endpoint may hold."""


@dataclass(frozen=True)
class RemoteOptions:
    """The options of remote tiles. Raises `ParameterError` for values out of bounds."""

    wire: NumberFormat = "fp32"
    """The number format of tiles in requests and answers, which the model at the endpoint must take and give.
    Only `fp32` is exact for every picture."""
    in_flight: int | None = None
    """The most tiles that each endpoint holds at the same time. `None`: as many as it states, or 4."""
    tile_timeout_s: float = 60.0
    """The most seconds that an endpoint may take for one tile."""
    patience_s: float = 30.0
    """Seconds that a tile waits for an endpoint to return if none answers."""
    key: str | None = field(default=None, repr=False)
    """The API key of all endpoints, sent as `Authorization: Bearer KEY`."""

    def __post_init__(self) -> None:
        if self.wire not in get_args(NumberFormat):
            raise ParameterError(
                f"the number format of tiles must be one of {', '.join(get_args(NumberFormat))}, not {self.wire!r}"
            )
        if self.in_flight is not None and not 1 <= self.in_flight <= MOST_IN_FLIGHT:
            raise ParameterError(f"an endpoint can hold 1 to {MOST_IN_FLIGHT} tiles at the same time, not {self.in_flight}")
        for name, seconds in {"tile_timeout_s": self.tile_timeout_s, "patience_s": self.patience_s}.items():
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ParameterError(f"{name} must be a number of seconds above 0, not {seconds}")
