"""onnx's reference evaluator as a backend, in float32 or float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from upconv.export.backends.backend import Array, Precision
from upconv.export.backends.exact import OPERATORS, in_double
from upconv.export.backends.rounded_arrays import SUMMING_NODES, RandomlyRoundedArrays
from upconv.runtime.errors import ExportError, first_line


class ReferenceBackend:
    """A graph computed by the definition of its operators.

    In float64 it is the reference for a graph that has no torch module. Convolutions, pools, Resize and DequantizeLinear come
    from `backends.exact`, all other operators from onnx. Raises `ExportError` if the evaluator cannot open the graph.
    """

    level = "-"
    version: str = onnx.__version__

    def __init__(self, model: onnx.ModelProto, precision: Precision = "float64", seed: int | None = None) -> None:
        """Open the graph; in float64 with a `seed`, every operator rounds to float32 at random."""
        self.name = f"onnx reference {precision}"
        self._double = precision == "float64"
        self._inputs = [value.name for value in _real_inputs(model.graph)]
        try:
            self._evaluator = ReferenceEvaluator(in_double(model) if precision == "float64" else model, new_ops=list(OPERATORS))
        except Exception as error:  # onnx can raise any error for an unknown operator
            raise ExportError(f"onnx's reference evaluator cannot open the graph: {first_line(error)}") from error
        if seed is not None:
            self._evaluator.rt_nodes_ = _rounding(self._evaluator.rt_nodes_, self._inputs, RandomlyRoundedArrays(seed))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of the graph; raises `ExportError` if the evaluator cannot run it."""
        feed = {
            name: array.astype(np.float64) if self._double and array.dtype.kind == "f" else array
            for name, array in zip(self._inputs, inputs, strict=True)
        }
        try:
            with np.errstate(all="ignore"):  # callers check the outputs for values that are not finite
                outputs = self._evaluator.run(None, feed)
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            message = f"onnx's reference evaluator cannot run the graph on {shapes}: {first_line(error)}"
            raise ExportError(message) from error
        return [np.asarray(output) for output in outputs]


def _rounding(nodes: Sequence[Any], inputs: Sequence[str], random: RandomlyRoundedArrays) -> list[Any]:
    """Return the nodes; those that read values of the inputs, and not only their shapes, round at random."""
    values, made = set(inputs), []
    for node in nodes:
        computes = node.op_type not in ("Shape", "Size") and not values.isdisjoint(node.input)
        values.update(node.output if computes else ())
        made.append(_RoundedNode(node, random) if computes else node)
    return made


class _RoundedNode:
    """A node of the evaluator that rounds its outputs to float32 at random."""

    def __init__(self, node: Any, random: RandomlyRoundedArrays) -> None:
        self._node, self._random = node, random

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def run(self, *inputs: Any, **options: Any) -> tuple[Any, ...]:
        """Return the outputs of the node."""
        outputs = self._node.run(*inputs, **options)
        if self._node.op_type in SUMMING_NODES and not all(self._random.exact(value) for value in outputs):
            count = 1 if self._node.op_type == "Resize" else len(inputs)  # the others of Resize are scales and sizes
            scattered = (self._random.scattered(value) for value in inputs[:count])
            outputs = self._node.run(*scattered, *inputs[count:], **options)
        return tuple(self._random.rounded(value) for value in outputs)


def _real_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are not initialisers: old graphs list these among the inputs too."""
    known = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in known]
