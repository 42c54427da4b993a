"""The order that a worker process starts with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.options import UpscaleOptions

READY = "ready"
"""The first message of a worker process."""


@dataclass(frozen=True)
class WorkerOrder:
    """The model and the options with which a worker process upscales pictures."""

    model: Path
    """The model file."""
    options: UpscaleOptions
    provider: str = "cpu"
    exact: bool = False
    """True for the exact halo of the model."""
    keep_time: bool = False
    """True to give each result the modification time of its picture."""
