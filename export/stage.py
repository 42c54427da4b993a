"""A step of the export: takes a model, returns a model, and says what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import onnx

NOTHING = "no such operators"
"""The summary of a stage that has nothing to say about a model, and is left out of reports."""


@dataclass(frozen=True)
class StageResult:
    """What a stage made of a model."""

    model: onnx.ModelProto
    changed: bool
    summary: str
    """What changed, or why nothing did."""


class Stage(Protocol):
    """One transformation that must leave the function as it is."""

    name: str

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Transform `model`, which is not modified."""
        ...
