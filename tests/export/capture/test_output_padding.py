from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.capture.output_padding import without_excess


def model(padding: int, extra: int, bias: bool) -> onnx.ModelProto:
    weight = np.random.default_rng(0).random((2, 2, 3), np.float32)
    tensors = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([1, 2], np.float32), "b")]
    attributes: dict[str, Any] = {"strides": [1], "dilations": [3], "pads": [padding, padding], "output_padding": [extra]}
    node = helper.make_node("ConvTranspose", ["x", "w", *(["b"] if bias else [])], ["y"], **attributes)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, None]) for name in "xy")
    graph = helper.make_graph([node], "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("padding", "extra"), [(0, 2), (1, 2), (2, 1)])
def test_the_rewritten_form_computes_the_same(padding: int, extra: int, bias: bool) -> None:
    before, after = model(padding, extra, bias), model(padding, extra, bias)
    without_excess(after)
    layer = next(node for node in after.graph.node if node.op_type == "ConvTranspose")
    assert next(list(a.ints) for a in layer.attribute if a.name == "output_padding") == [0]
    x = [np.random.default_rng(1).random((1, 2, 5), np.float32)]
    np.testing.assert_allclose(ReferenceBackend(after).run(x)[0], ReferenceBackend(before).run(x)[0], atol=1e-12)


def test_output_padding_below_the_stride_is_unchanged() -> None:
    before, after = model(1, 0, True), model(1, 0, True)
    without_excess(after)
    assert after == before
