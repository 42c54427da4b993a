"""The conversion of a graph to a later operator set."""

from __future__ import annotations

import onnx
from onnx import version_converter

from upconv.export.graphs import opset_of, stripped
from upconv.export.stage import StageResult
from upconv.runtime.errors import first_line


class RaiseOpset:
    """The stage that converts a graph older than `target` with onnx's version converter."""

    name = "opset"

    def __init__(self, target: int) -> None:
        self._target = target

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the converted model, or the same model and the reason."""
        version = opset_of(model)
        if version >= self._target:
            return StageResult(model, False, f"{version}, not changed")
        try:
            converted = stripped(version_converter.convert_version(model, self._target))
        except Exception as error:  # an adapter is missing, or fails
            return StageResult(model, False, f"stays {version}: onnx cannot convert it: {first_line(error)}")
        return StageResult(converted, True, f"{version} to {self._target}")
