from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.parity.trace import traced


def test_inputs_weights_and_intermediate_values_are_returned_and_the_model_is_unchanged() -> None:
    image, output = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("image", "output"))
    nodes = [helper.make_node("Mul", ["image", "w"], ["inner"]), helper.make_node("Relu", ["inner"], ["output"])]
    weight = numpy_helper.from_array(np.array([-2, 3], np.float32), "w")
    graph = helper.make_graph(nodes, "g", [image], [output], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    values = traced(OnnxruntimeBackend, model, [np.ones(2, np.float32)])
    assert {name: value.tolist() for name, value in values.items()} == {
        "w": [-2, 3],
        "image": [1, 1],
        "inner": [-2, 3],
        "output": [0, 3],
    }
    assert len(model.graph.output) == 1
