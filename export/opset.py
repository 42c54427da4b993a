"""A graph of an older operator set, converted to the one that is exported for, where that can be done."""

from __future__ import annotations

import onnx
from onnx import version_converter

from upconv.export.graphs import anonymous, opset_of
from upconv.export.stage import StageResult
from upconv.runtime.errors import first_line


class RaiseOpset:
    """Converts what is older than `target` by onnx's own version converter."""

    name = "opset"

    def __init__(self, target: int) -> None:
        self._target = target

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """The model at the wanted opset, or the same one and why it stays as it is."""
        version = opset_of(model)
        if version >= self._target:
            return StageResult(model, False, f"{version}, as it is")
        try:
            converted = anonymous(version_converter.convert_version(model, self._target))
        except Exception as error:  # an adapter that is missing, or one that fails
            return StageResult(model, False, f"stays {version}: onnx cannot convert it: {first_line(error)}")
        return StageResult(converted, True, f"{version} to {self._target}")
