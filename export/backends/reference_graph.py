"""An ONNX graph, computed as the standard words it: by onnx's reference evaluator, in float32 or in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from upconv.export.backends.backend import Array, Precision
from upconv.export.backends.exact import OPERATORS, in_double
from upconv.runtime.errors import ExportError, first_line


class ReferenceBackend:
    """The graph's own function. In float64 it is what every runtime is measured against where no torch module is at hand.

    Convolutions, pools and Resize come from `backends.exact`; everything else from onnx.
    """

    level = "-"
    version: str = onnx.__version__

    def __init__(self, model: onnx.ModelProto, precision: Precision = "float64") -> None:
        self.name = f"onnx reference {precision}"
        self._double = precision == "float64"
        self._inputs = [value.name for value in _given(model.graph)]
        try:
            self._evaluator = ReferenceEvaluator(in_double(model) if precision == "float64" else model, new_ops=list(OPERATORS))
        except Exception as error:  # whatever onnx raises for an operator that it lacks
            raise ExportError(f"onnx's reference evaluator cannot open the graph: {first_line(error)}") from error

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The graph's outputs in its precision; raises `ExportError` where the evaluator cannot run it."""
        feed = {
            name: array.astype(np.float64) if self._double and array.dtype.kind == "f" else array
            for name, array in zip(self._inputs, inputs, strict=True)
        }
        try:
            with np.errstate(all="ignore"):  # what is no number is found in the outputs
                outputs = self._evaluator.run(None, feed)
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            message = f"onnx's reference evaluator cannot run the graph on {shapes}: {first_line(error)}"
            raise ExportError(message) from error
        return [np.asarray(output) for output in outputs]


def _given(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs that have no value of their own: old graphs list initialisers among them."""
    known = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in known]
