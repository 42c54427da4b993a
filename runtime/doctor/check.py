"""One thing that an installation needs or may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "broken", "low"]
"""`missing`: not installed. `broken`: installed, but too old or not usable. `low`: a limit of the machine that is tight."""
Topic = Literal["required", "features", "pictures", "machine"]
"""The part of the report in which a check is printed."""


@dataclass(frozen=True)
class Check:
    """The state of one package, feature or limit."""

    topic: Topic
    name: str
    """The package, the extra, the format or the limit."""
    state: State
    found: str
    """What was found, in words: a version, a number, or what is wrong."""
    advice: str = ""
    """The command or the change that repairs it; empty if nothing is to be done."""
    required: bool = False
    """True if no picture can be upscaled without it."""

    @property
    def fatal(self) -> bool:
        """True if the installation cannot upscale pictures because of it."""
        return self.required and self.state in ("missing", "broken")
