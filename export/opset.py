"""Conversion of a graph with an older opset to the opset of the export, if onnx can convert it."""

from __future__ import annotations

import onnx
from onnx import version_converter

from upconv.export.graphs import anonymous, opset_of
from upconv.export.stage import StageResult
from upconv.runtime.errors import first_line


class RaiseOpset:
    """A stage that raises the opset of a model to `target` with onnx's version converter."""

    name = "opset"

    def __init__(self, target: int) -> None:
        self._target = target

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the model at the target opset, or the same model with the reason."""
        version = opset_of(model)
        if version >= self._target:
            return StageResult(model, False, f"{version}, as it is")
        try:
            converted = anonymous(version_converter.convert_version(model, self._target))
        except Exception as error:  # an adapter that is missing, or that fails
            return StageResult(model, False, f"stays {version}: onnx cannot convert it: {first_line(error)}")
        return StageResult(converted, True, f"{version} to {self._target}")
