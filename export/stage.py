"""The interface of a stage, a function from model to model that reports its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import onnx

NOTHING = "no such operators"
"""The summary of a stage that does not apply to a model. Reports leave it out."""


@dataclass(frozen=True)
class StageResult:
    """The result of a stage."""

    model: onnx.ModelProto
    changed: bool
    summary: str
    """The change, or the reason why there is none."""


class Stage(Protocol):
    """One transformation of a graph that must keep its function."""

    name: str

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the transformed model. `model` itself is not modified."""
        ...
