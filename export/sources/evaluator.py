"""An ONNX graph computed by the standard's own reference implementation, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from upconv.export.parity.backends import Array
from upconv.export.sources.source import Precision


class ReferenceBackend:
    """onnx's reference evaluator on a graph whose floating-point numbers are all of one precision."""

    name = "onnx reference"
    version: str = onnx.__version__
    level = "-"

    def __init__(self, model: onnx.ModelProto, precision: Precision) -> None:
        self._dtype = np.dtype(precision)
        self._session = ReferenceEvaluator(widened(model) if precision == "float64" else model)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The graph's outputs in its own precision; raises whatever an operator raises for a size it refuses."""
        given = [array.astype(self._dtype) if array.dtype.kind == "f" else array for array in inputs]
        with np.errstate(all="ignore"):
            outputs: Any = self._session.run(None, dict(zip(self._session.input_names, given, strict=True)))
        return [np.asarray(output) for output in outputs]


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in float64: inputs, weights, constants, and what nodes convert to."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _widen(wide.graph)
    return wide


def _widen(graph: onnx.GraphProto) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            _widen_attribute(node.op_type, attribute)


def _widen_attribute(operator: str, attribute: onnx.AttributeProto) -> None:
    if attribute.type == onnx.AttributeProto.GRAPH:
        _widen(attribute.g)
    elif attribute.type == onnx.AttributeProto.TENSOR:
        _widen_tensor(attribute.t)
    elif operator == "Constant" and attribute.name in ("value_float", "value_floats"):
        wide = np.array(helper.get_attribute_value(attribute), np.float64)
        attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(wide)))
    elif attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
        attribute.i = TensorProto.DOUBLE


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
