"""All intermediate values of a graph, in any runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from upconv.export.backends import Array, Backend

Values = dict[str, Array]
"""Tensors by name."""


def traced(opener: Callable[[onnx.ModelProto], Backend], model: onnx.ModelProto, inputs: Sequence[Array]) -> Values:
    """Return the outputs of each node, the weights and the inputs. A runtime fuses less if it must return every value."""
    exposed, names = _exposed(model)
    outputs = opener(exposed).run(inputs)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values |= {value.name: array for value, array in zip(model.graph.input, inputs, strict=True)}
    return values | {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}


def _exposed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """Return a copy whose outputs are the model's own and then every other value, in order."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [value.name for value in copy.graph.output]
    inside = [name for node in copy.graph.node for name in node.output if name and name not in names]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    return copy, names + inside
