"""The message with which the service asks a child process to try a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

READY = "ready"
"""The first line of a child process."""


@dataclass(frozen=True)
class TrialOrder:
    """A file to try, and the limits within which it must open and run."""

    path: str
    provider: str
    tile_px: int | None
    bytes: int
    """Memory that opening and running may take; 0 for no limit."""
    cpu_s: int
    """Processor seconds after which the child process ends even if its parent is gone."""
    unproved: bool = False
    """True to pass a model whose proof on the spot fails."""

    def line(self) -> str:
        """Return the order as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Return the order in a line of JSON."""
        return cls(**json.loads(line))
