from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from upconv.export.graphs import opset_of
from upconv.export.opset import RaiseOpset


@pytest.mark.parametrize(
    ("target", "changed", "version", "summary"),
    [(18, True, 18, "13 to 18"), (13, False, 13, "13, not changed"), (11, False, 13, "13, not changed")],
)
def test_only_an_older_graph_is_converted(target: int, changed: bool, version: int, summary: str) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    result = RaiseOpset(target)(model)
    assert (result.changed, opset_of(result.model), result.summary) == (changed, version, summary)
    assert (result.model is model) != changed
    assert opset_of(model) == 13
