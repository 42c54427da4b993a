from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.precision.outputs_filled_up import outputs_filled_up

IMAGE = np.random.default_rng(0).random((2, 4, 6, 7), np.float32)


def convolution(outputs: int, side: int = 3, *, biased: bool = True, groups: int = 1, constant: bool = True) -> onnx.ModelProto:
    random = np.random.default_rng(1)
    weight = numpy_helper.from_array(random.normal(size=(outputs, 4 // groups, side, side)).astype(np.float32), "w")
    bias = numpy_helper.from_array(random.normal(size=outputs).astype(np.float32), "b")
    node = helper.make_node("Conv", ["x", "w", *(["b"] if biased else [])], ["y"], name="c", group=groups, pads=[side // 2] * 4)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, "h", "w"]) for name in ("x", "y")]
    inputs = values[:1] + ([] if constant else [helper.make_tensor_value_info("w", TensorProto.FLOAT, weight.dims)])
    initializers = [*([weight] if constant else []), *([bias] if biased else [])]
    graph = helper.make_graph([node], "g", inputs, values[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("outputs", [1, 12, 15])
def test_the_outputs_are_the_same_and_computed_as_a_block(outputs: int, biased: bool) -> None:
    before = convolution(outputs, biased=biased)
    after = outputs_filled_up(before)
    onnx.checker.check_model(after)
    [weight] = [tensor for tensor in after.graph.initializer if len(tensor.dims) == 4]
    assert weight.dims[0] == 16
    assert {name for node in after.graph.node for name in node.input} == {
        "x",
        "y_filled",
        *(t.name for t in after.graph.initializer),
    }
    expected, result = (OnnxruntimeBackend(model).run([IMAGE])[0] for model in (before, after))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [convolution(16), convolution(12, 1), convolution(12, groups=2), convolution(12, constant=False)],
    ids=["a whole block", "1x1", "groups", "weights that are an input"],
)
def test_what_would_not_gain_stays(model: onnx.ModelProto) -> None:
    assert outputs_filled_up(model) == model
