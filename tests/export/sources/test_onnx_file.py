from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.sources.onnx_file import contract_in, load, nodes, read_graph, stated_contract
from upconv.models import bundled
from upconv.runtime.contract import KEY
from upconv.runtime.errors import ContractError, SourceError

Saved = Callable[[onnx.ModelProto], Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Return a function that writes a model."""

    def save(model: onnx.ModelProto) -> Path:
        onnx.save(model, tmp_path / "m.onnx")
        return tmp_path / "m.onnx"

    return save


def chain(*kinds: str, element: int = TensorProto.FLOAT, ir_version: int = 10) -> onnx.ModelProto:
    """Return a chain of operators, with the nodes in reverse order."""
    names = ["x", *(f"v{n}" for n in range(1, len(kinds))), "y"]
    made = [helper.make_node(kind, [a], [b]) for kind, a, b in zip(kinds, names, names[1:], strict=False)]
    values = [helper.make_tensor_value_info(name, element, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph(made[::-1], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=ir_version)


def test_nodes_are_sorted_and_an_old_version_is_raised(saved: Saved) -> None:
    model = read_graph(saved(chain("Relu", "Tanh", "Sigmoid", ir_version=3)))
    assert [node.op_type for node in model.graph.node] == ["Relu", "Tanh", "Sigmoid"]
    assert model.ir_version == 8


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (TensorProto.FLOAT16, "'x' of .* is float16; expected a float32 or integer tensor"),
        (TensorProto.DOUBLE, "'x' of .* is float64; expected a float32 or integer tensor"),
    ],
)
def test_an_input_of_another_precision_is_refused(element: int, reason: str, saved: Saved) -> None:
    path = saved(chain("Relu", element=element))
    assert load(path).graph.input[0].name == "x"
    with pytest.raises(SourceError, match=reason):
        read_graph(path)


def test_an_input_of_unknown_rank_is_refused(saved: Saved) -> None:
    model = chain("Relu")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(SourceError, match="is not a valid ONNX model: Field 'shape'"):
        read_graph(saved(model))


def test_a_missing_or_empty_file_is_refused(saved: Saved, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no model file at"):
        load(tmp_path / "none.onnx")
    with pytest.raises(SourceError, match="holds no graph with an output"):
        load(saved(onnx.ModelProto(ir_version=10)))


def test_nodes_include_those_of_branches() -> None:
    outputs = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    branch = helper.make_graph([helper.make_node("Tanh", ["x"], ["b"])], "branch", [], outputs)
    model = chain("Relu")
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    assert [node.op_type for node in nodes(model.graph)] == ["Relu", "If", "Tanh", "Tanh"]


def test_a_contract_is_read_if_there_is_one(saved: Saved) -> None:
    path = bundled("nearest-x2")
    assert contract_in(onnx.load(path), path) == stated_contract(path)
    model = chain("Relu")
    assert contract_in(model, path) is None
    with pytest.raises(ContractError):
        stated_contract(saved(model))
    model.metadata_props.add(key=KEY, value="not JSON")
    with pytest.raises(ContractError):
        contract_in(model, path)
