from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.runtime.errors import ExportError


def model() -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("image", "weight", "output")]
    weight = numpy_helper.from_array(np.array([1, 3], np.float32), "weight")
    node = helper.make_node("Div", ["image", "weight"], ["output"])
    graph = helper.make_graph([node], "g", values[:2], values[2:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_initialisers_among_the_inputs_are_no_inputs_to_feed() -> None:
    assert ReferenceBackend(model()).run([np.array([1, 1], np.float32)])[0].tolist() == [1, 1 / 3]


def test_float32_rounds() -> None:
    output = ReferenceBackend(model(), "float32").run([np.array([1, 1], np.float32)])[0]
    assert output.dtype == np.float32
    assert output[1] == np.float32(1 / 3)


def test_division_by_zero_gives_no_warning() -> None:
    broken = model()
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros(2, np.float32), "weight"))
    assert np.isinf(ReferenceBackend(broken).run([np.ones(2, np.float32)])[0]).all()


def test_a_failing_run_names_the_shapes() -> None:
    with pytest.raises(ExportError, match=r"cannot run the graph on \(5,\)"):
        ReferenceBackend(model()).run([np.ones(5, np.float32)])
