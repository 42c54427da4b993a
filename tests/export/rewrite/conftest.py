"""Small graphs in float64, and a check that a rewrite does not change their function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.rewrite import Rewrite
from upconv.export.stage import StageResult

Array = NDArray[Any]


class Graph:
    """A graph of nodes and float64 weights, from input `x` to output `y`."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Array] = {}

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """Add a node."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes))

    def weight(self, name: str, value: Array) -> str:
        """Add a constant and return its name."""
        self.weights[name] = value
        return name

    def model(self, shape: Sequence[int], outputs: Sequence[str] = ("y",)) -> onnx.ModelProto:
        """Return the model, with symbolic batch and sizes."""
        symbols = [
            axis if n in (0, *range(2, len(shape))) else length
            for n, (axis, length) in enumerate(zip("nchwd", shape, strict=False))
        ]
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.DOUBLE, symbols)],
            [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None] * len(shape)) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _applied(stage: Rewrite, model: onnx.ModelProto, x: Array) -> StageResult:
    result = stage(model)
    if result.changed:
        onnx.checker.check_model(result.model)
        expected, got = (ReferenceBackend(m).run([x]) for m in (model, result.model))
        for a, b in zip(expected, got, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)
    return result


@pytest.fixture(scope="session")
def graph() -> Callable[[], Graph]:
    """Return a function that makes an empty graph."""
    return Graph


@pytest.fixture(scope="session")
def applied() -> Callable[..., StageResult]:
    """Return a function that applies a stage to a model and checks that the outputs are equal in float64."""
    return _applied
