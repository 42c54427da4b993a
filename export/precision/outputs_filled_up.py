"""Fill the few outputs of a convolution up to a whole block, with zeros, before it is quantized.

Before:  y = Conv(x, W, b)                            1 to 15 output channels
After:   y = Slice(Conv(x, W', b'))                   16 output channels, of which the added ones are left out

onnxruntime's direct int8 convolution computes blocks of 16 output channels. With fewer, it copies every window of the input into a
matrix first, which takes two to three times as long as the whole block (`MlasConvSymPackWSize` in onnxruntime's convsym.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array

BLOCK = 16
"""The output channels that the int8 convolution computes together."""


def outputs_filled_up(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which every ungrouped 2-D convolution with constant weights has at least `BLOCK` outputs.

    A kernel of 1x1 stays as it is, because its input already is the matrix.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in copy.graph.node:
        constants = [numpy_helper.to_array(weights[name]) for name in node.input[1:] if name in weights]
        nodes += _filled(copy.graph, node, constants) if _has_few_outputs(node, constants) else [node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    for tensor in [tensor for name, tensor in weights.items() if name not in read]:
        copy.graph.initializer.remove(tensor)
    return copy


def _has_few_outputs(node: onnx.NodeProto, constants: Sequence[Array]) -> bool:
    if node.op_type != "Conv" or len(constants) < len(node.input) - 1:
        return False
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    weight = constants[0]
    return groups == 1 and weight.ndim == 4 and weight.shape[0] < BLOCK and weight.shape[2:] != (1, 1)


def _filled(graph: onnx.GraphProto, node: onnx.NodeProto, constants: Sequence[Array]) -> list[onnx.NodeProto]:
    """Return the convolution with all outputs of a block, and the slice of those that are used."""
    output, used = node.output[0], len(constants[0])

    def added(values: Array, name: str) -> str:
        graph.initializer.append(numpy_helper.from_array(values, f"{output}_{name}"))
        return f"{output}_{name}"

    wide = onnx.NodeProto()
    wide.CopyFrom(node)
    for position, values in enumerate(constants, start=1):
        padding = [(0, BLOCK - used), *[(0, 0)] * (values.ndim - 1)]
        wide.input[position] = added(np.pad(values, padding), f"filled_{position}")
    wide.output[0] = f"{output}_filled"
    bounds = [added(np.array([value], np.int64), name) for name, value in (("first", 0), ("end", used), ("axis", 1))]
    return [wide, helper.make_node("Slice", [wide.output[0], *bounds], [output], name=f"{node.name}_used")]
