"""The conversion of a graph to float64."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_TYPED = ("dtype", "output_dtype", "precision", "to")
"""Attributes that hold an element type."""


def in_double(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of `model` whose weights, inputs, outputs and casts are float64.

    The weights keep their stored values, so the copy computes the same function without float32 rounding. Only onnx's
    reference evaluator can run it, because the scales of a Resize become float64 too, which the standard forbids.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _convert_graph(copy.graph)
    for function in copy.functions:
        for node in function.node:
            _convert_node(node)
    return copy


def _convert_graph(graph: GraphProto) -> None:
    del graph.value_info[:]
    for tensor in graph.initializer:
        tensor.CopyFrom(_converted(tensor))
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _convert_node(node)


def _convert_node(node: NodeProto) -> None:
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))
    for attribute in node.attribute:
        _convert_attribute(node, attribute)


def _convert_attribute(node: NodeProto, attribute: AttributeProto) -> None:
    if attribute.type == AttributeProto.GRAPH:
        _convert_graph(attribute.g)
    elif attribute.type == AttributeProto.TENSOR:
        attribute.t.CopyFrom(_converted(attribute.t))
    elif attribute.type == AttributeProto.INT and attribute.name in _TYPED and attribute.i in FLOATS:
        attribute.i = TensorProto.DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        value = np.float64(attribute.f) if attribute.name == "value_float" else np.array(attribute.floats, np.float64)
        attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.asarray(value))))


def _converted(tensor: TensorProto) -> TensorProto:
    if tensor.data_type not in FLOATS:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
