from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.exact.double import in_double


def test_weights_keep_their_values_and_the_model_is_unchanged() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.array([1 / 3], np.float16), "w")
    count = numpy_helper.from_array(np.array([3]), "count")
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:], [weight, count]))
    graph = in_double(model).graph
    assert numpy_helper.to_array(graph.initializer[0]).tolist() == [float(np.float16(1 / 3))]
    assert [tensor.data_type for tensor in graph.initializer] == [TensorProto.DOUBLE, TensorProto.INT64]
    assert graph.input[0].type.tensor_type.elem_type == graph.output[0].type.tensor_type.elem_type == TensorProto.DOUBLE
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT16
