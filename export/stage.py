"""The interface of a stage: a model in, a model and a summary out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import onnx

NOTHING = "no such operators"
"""The summary of a stage that found nothing to do. Reports leave it out."""


@dataclass(frozen=True)
class StageResult:
    """The result of one stage."""

    model: onnx.ModelProto
    """The new model, or the same model if nothing changed."""
    changed: bool
    """Whether the stage changed the model."""
    summary: str
    """The change in words, or the reason why nothing changed."""


class Stage(Protocol):
    """A transformation of a graph that computes the same function."""

    name: str
    """The name of the step in reports."""

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the transformed model; `model` itself is not modified."""
        ...
