"""An ONNX graph computed as the standard defines it, by onnx's reference evaluator, in float32 or float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from upconv.export.backends.backend import Array, Precision
from upconv.export.backends.exact import OPERATORS, in_double
from upconv.runtime.errors import ExportError, first_line


class ReferenceBackend:
    """The graph's own function. In float64 it is the reference for every runtime if there is no torch module.

    Convolutions, pools and Resize come from `backends.exact`, all other operators from onnx.
    """

    level = "-"
    version: str = onnx.__version__

    def __init__(self, model: onnx.ModelProto, precision: Precision = "float64") -> None:
        self.name = f"onnx reference {precision}"
        self._double = precision == "float64"
        self._inputs = [value.name for value in _given(model.graph)]
        try:
            self._evaluator = ReferenceEvaluator(in_double(model) if precision == "float64" else model, new_ops=list(OPERATORS))
        except Exception as error:  # any error of onnx about an operator that it lacks
            raise ExportError(f"onnx's reference evaluator cannot open the graph: {first_line(error)}") from error

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the graph's outputs in its precision; raises `ExportError` if the evaluator cannot run it."""
        feed = {
            name: array.astype(np.float64) if self._double and array.dtype.kind == "f" else array
            for name, array in zip(self._inputs, inputs, strict=True)
        }
        try:
            with np.errstate(all="ignore"):  # values that are not finite are found in the outputs
                outputs = self._evaluator.run(None, feed)
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            message = f"onnx's reference evaluator cannot run the graph on {shapes}: {first_line(error)}"
            raise ExportError(message) from error
        return [np.asarray(output) for output in outputs]


def _given(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs without a default value. Old graphs list their weights among the inputs."""
    known = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in known]
