from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper

from upconv.export.backends import Array
from upconv.export.parity.explanation import Graph, attributes_of, explain, written


def pair(before: NodeProto, after: NodeProto, a: dict[str, Array], b: dict[str, Array]) -> tuple[str, ...]:
    graphs: list[Graph] = [(model(node), values) for node, values in ((before, a), (after, b))]
    return explain(before, after, *graphs)


def model(node: NodeProto) -> onnx.ModelProto:
    graph = helper.make_graph([node], "g", [], [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def elu(**attributes: Any) -> NodeProto:
    return helper.make_node("Elu", ["x"], ["y"], name="elu", **attributes)


def test_a_missing_or_another_operator_is_named() -> None:
    relu = helper.make_node("Relu", ["x"], ["y"], name="relu")
    assert explain(None, relu, (model(relu), {}), (model(relu), {})) == ("A has no corresponding node",)
    assert pair(elu(), relu, {}, {}) == ("A has Elu elu instead",)


def test_defaults_equal_written_attributes() -> None:
    x = {"x": np.ones(2)}
    assert attributes_of(elu(), model(elu())) == {"alpha": 1.0}
    assert pair(elu(), elu(alpha=1.0), x, x) == ("its operator, attributes and inputs are the same in A and B",)
    assert pair(elu(), elu(alpha=2.0), x, x) == ("alpha is 1.0 in A and 2.0 in B",)


def test_the_largest_difference_of_an_input_is_located() -> None:
    phrases = pair(elu(), elu(), {"x": np.array([1.0, 2.0])}, {"x": np.array([1.0, 2.5])})
    assert phrases == ("X x differs in 1 of 2 values, most at [1]: 2 in A and 2.5 in B",)
    assert pair(elu(), elu(), {"x": np.ones(2)}, {"x": np.ones(3)}) == ("X x has shape 2 in A and 3 in B",)


def test_large_arrays_are_written_as_their_shape() -> None:
    assert written(np.zeros(2)) == [0, 0]
    assert written(np.zeros((5, 4), np.float32)) == "float32 5x4"
