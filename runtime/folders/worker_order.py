"""The order that a worker process starts with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.model_choice import ModelSet
from upconv.runtime.options import UpscaleOptions

READY = "ready"
"""The first message of a worker process."""


@dataclass(frozen=True)
class WorkerOrder:
    """The model and the options with which a worker process upscales pictures."""

    model: Path | ModelSet
    """The model file, or the models among which the content of each picture decides."""
    options: UpscaleOptions
    provider: str = "cpu"
    """upconv's name of the execution provider."""
    exact: bool = False
    """True for the exact halo of the model."""
    keep_time: bool = False
    """True to give each result the modification time of its picture."""
    unproved: bool = False
    """True to use a model whose proof on the provider fails."""
