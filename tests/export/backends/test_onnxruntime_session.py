from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.backends import LEVELS, OnnxruntimeBackend
from upconv.runtime.errors import ExportError


def model(operator: str = "Relu") -> onnx.ModelProto:
    image, output = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("image", "output"))
    graph = helper.make_graph([helper.make_node(operator, ["image"], ["output"])], "g", [image], [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_computes_the_same(level: str) -> None:
    backend = OnnxruntimeBackend(model(), level)
    assert (backend.name, backend.level) == ("onnxruntime cpu", level)
    assert backend.run([np.array([-1, 2], np.float32)])[0].tolist() == [0, 2]


def test_errors_name_the_shapes_in_one_line() -> None:
    with pytest.raises(ExportError, match=r"cannot run the graph on \(3,\): ") as raised:
        OnnxruntimeBackend(model()).run([np.zeros(3, np.float32)])
    assert "\n" not in str(raised.value)
    assert "ONNXRuntimeError" not in str(raised.value)
    with pytest.raises(ExportError, match="cannot open the graph"):
        OnnxruntimeBackend(model("Nope"))


def test_the_node_that_refuses_its_inputs_is_named_without_codes() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("a", "b")]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Concat", ["a", "b"], ["y"], name="joined", axis=1)], "g", values, [out])
    backend = OnnxruntimeBackend(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    said = r"^onnxruntime cannot run the graph on \(3, 2\), \(1, 2\): Concat at joined refuses what it gets \(Non concat axis"
    with pytest.raises(ExportError, match=said) as raised:
        backend.run([np.zeros((3, 2), np.float32), np.zeros((1, 2), np.float32)])
    assert not any(part in str(raised.value) for part in ("ONNXRuntimeError", ".h:", "status code"))
