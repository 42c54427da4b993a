from __future__ import annotations

from onnx import TensorProto, helper

from upconv.export.precision.order import in_order


def test_nodes_are_sorted_by_their_dependencies() -> None:
    nodes = [helper.make_node("Tanh", ["a"], ["y"]), helper.make_node("Relu", ["x"], ["a"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:]))
    assert [node.op_type for node in in_order(model).graph.node] == ["Relu", "Tanh"]
    assert [node.op_type for node in model.graph.node] == ["Tanh", "Relu"]
