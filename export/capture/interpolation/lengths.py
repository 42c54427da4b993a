"""The computation of lengths in float64, as in Python and torch.

before    Cast(length, FLOAT)  -> Mul(·, float32 scale) -> Cast(·, INT64)
after     Cast(length, DOUBLE) -> Mul(·, float64 scale) -> Cast(·, INT64)

A Round, Ceil or Floor may lie between Mul and the last Cast.

torch's exporter writes `int(length * scale)` in float32: 50 pixels by 2.3 give 115 there, but 114 in torch.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, numpy_helper


def lengths_in_double(model: onnx.ModelProto, program: torch.export.ExportedProgram) -> None:
    """Change `model`, in place, to compute its lengths in float64, with the exact factors of `program`."""
    exact = {np.float32(factor): factor for factor in _factors(program)}
    graph = model.graph
    makers = {node.output[0]: node for node in graph.node}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if not _is_cast(node, TensorProto.INT64):
            continue
        product = makers.get(node.input[0])
        if product is not None and product.op_type in ("Round", "Ceil", "Floor"):
            product = makers.get(product.input[0])
        if product is None or product.op_type != "Mul":
            continue
        _widen(graph, product, makers, constants, exact)
    used = {name for node in graph.node for name in node.input}
    for number in reversed(range(len(graph.initializer))):
        if graph.initializer[number].name not in used:
            del graph.initializer[number]


def _widen(
    graph: onnx.GraphProto,
    product: NodeProto,
    makers: dict[str, NodeProto],
    constants: dict[str, TensorProto],
    exact: dict[np.float32, float],
) -> None:
    length, factor = makers.get(product.input[0]), constants.get(product.input[1])
    if length is None or factor is None or not _is_cast(length, TensorProto.FLOAT):
        return
    value = numpy_helper.to_array(factor)
    if value.size != 1 or value.item() not in exact:
        return
    wide = f"{product.output[0]}_factor"
    graph.initializer.append(numpy_helper.from_array(np.array(exact[np.float32(value.item())]).reshape(value.shape), wide))
    cast = NodeProto()
    cast.CopyFrom(length)
    cast.output[0], cast.attribute[0].i = f"{product.output[0]}_length", TensorProto.DOUBLE
    cast.name = f"{product.name}_length"
    product.input[0], product.input[1] = cast.output[0], wide
    graph.node.insert(list(graph.node).index(product), cast)


def _factors(program: torch.export.ExportedProgram) -> Iterable[float]:
    for node in program.graph.nodes:
        for argument in node.args:
            if isinstance(argument, float):
                yield argument


def _is_cast(node: NodeProto, to: int) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i == to
