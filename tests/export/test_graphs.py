from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.graphs import accepts, anonymous, census, opset_of


def graph() -> onnx.ModelProto:
    """Return a graph with two inputs, names of its origin, and symbolic axes of its exporter."""
    shapes: dict[str, list[str | int]] = {"x": ["s0", 3, "s1", "s2"], "z": ["s0", 3, "s5", 7]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["s0", 3, "2*s1", "s2"])
    nodes = [helper.make_node(kind, ["x"], [name]) for kind, name in (("Tanh", "y"), ("Relu", "a"), ("Relu", "b"))]
    nodes[0].doc_string = "File /somewhere/decoder.py, line 3"
    model = helper.make_model(helper.make_graph(nodes, "main_graph", inputs, [output]), producer_name="pytorch")
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("com.example", 1), helper.make_opsetid("", 18)])
    return model


@pytest.mark.parametrize(
    ("width", "accepted"),
    [(7, True), (8, False)],
)
def test_only_declared_lengths_are_accepted(width: int, accepted: bool) -> None:
    assert accepts(graph(), ((2, 3, 5, 6), (2, 3, 5, width))) == accepted


def test_the_opset_is_that_of_the_standard_domain() -> None:
    assert opset_of(graph()) == 18


def test_the_census_is_sorted_by_type() -> None:
    assert list(census(graph()).items()) == [("Relu", 2), ("Tanh", 1)]


def test_an_anonymous_copy_names_axes_and_no_origin() -> None:
    original = graph()
    before = original.SerializeToString()
    model = anonymous(original)
    axes = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*model.graph.input, *model.graph.output)
    ]
    assert axes == [["batch", 3, "height", "width"], ["batch", 3, "height_z", 7], ["batch", 3, 0, "width"]]
    assert (model.producer_name, model.graph.name) == ("upconv", "upconv")
    assert b"/somewhere" not in model.SerializeToString()
    assert original.SerializeToString() == before
