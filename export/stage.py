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


def census(model: onnx.ModelProto) -> dict[str, int]:
    """How many operators of each type the graph has, by name."""
    counts: dict[str, int] = {}
    for node in model.graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return dict(sorted(counts.items()))
