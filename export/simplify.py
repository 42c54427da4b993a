"""Simplification of a graph by onnxsim.

onnxsim runs in a process of its own. If it crashes, hangs or fails, the model stays unchanged.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from upconv.export.graphs import census, stripped
from upconv.export.onnxsim_process import ONNXSIM
from upconv.export.stage import StageResult
from upconv.export.storage import is_large

TIMEOUT_S = 300
"""The longest run of onnxsim, in seconds."""


class Simplify:
    """The stage that folds constants and removes nodes without effect."""

    name = "simplify"

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the simplified model, or the same model and the reason."""
        if is_large(model):
            return StageResult(model, False, "declined: onnxsim does not accept weights above 2 GiB")
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
            onnx.save(model, before)
            problem = ONNXSIM.run(before, after, TIMEOUT_S)
            if problem is not None:
                return StageResult(model, False, f"declined: {problem}")
            simplified = stripped(onnx.load(after))
        problem = _pinned(model, simplified)
        if problem is not None:
            return StageResult(model, False, f"declined: {problem}")
        old, new = census(model), census(simplified)
        if old == new:
            return StageResult(model, False, f"nothing to simplify in {sum(old.values())} nodes")
        return StageResult(simplified, True, f"{sum(old.values())} to {sum(new.values())} nodes")


def _pinned(before: onnx.ModelProto, after: onnx.ModelProto) -> str | None:
    """Return which input the simplifier renamed or fixed to one size (onnxsim#213), or `None`."""
    for old, new in zip(before.graph.input, after.graph.input, strict=True):
        if old.name != new.name:
            return f"input {old.name!r} was renamed to {new.name!r}"
        shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (old, new)]
        if shapes[0] != shapes[1]:
            return f"the input's shape {shapes[0]} became {shapes[1]}"
    return None
