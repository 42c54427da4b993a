"""Every value that a graph computes, intermediate values included, in any backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from upconv.export.backends import Array, Backend

Values = dict[str, Array]
"""Tensors by name."""


def traced(opener: Callable[[onnx.ModelProto], Backend], model: onnx.ModelProto, inputs: Sequence[Array]) -> Values:
    """Return the outputs of all nodes, the weights and the inputs, by name.

    A runtime that must output every value fuses fewer nodes.
    """
    exposed, names = _exposed(model)
    outputs = opener(exposed).run(inputs)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values |= {value.name: array for value, array in zip(model.graph.input, inputs, strict=True)}
    return values | {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}


def _exposed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """Return a copy that outputs every value, and their names: the model's own outputs first."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [value.name for value in copy.graph.output]
    inside = [name for node in copy.graph.node for name in node.output if name and name not in names]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    return copy, names + inside
