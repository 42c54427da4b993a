from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export import simplify
from upconv.export.simplify import Simplify


def graph(*kinds: str, name: str = "x", width: str | int = "channels") -> onnx.ModelProto:
    """Return a chain of operators."""
    names = [name, *(f"v{n}" for n in range(1, len(kinds))), "y"]
    nodes = [helper.make_node(kind, [a], [b]) for kind, a, b in zip(kinds, names, names[1:], strict=False)]
    values = [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", width]) for value in (names[0], "y")]
    made = helper.make_graph(nodes, "g", values[:1], values[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def finishes(result: onnx.ModelProto | None, problem: str | None = None) -> Any:
    """Return a replacement for onnxsim's process that writes this model."""

    def run(before: Path, after: Path, timeout_s: float) -> str | None:
        assert before.exists()
        assert timeout_s == 300
        if result is not None:
            onnx.save(result, after)
        return problem

    return SimpleNamespace(run=run)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (finishes(None, "onnxsim ended with code -11: no message"), "declined: onnxsim ended with code -11: no message"),
        (finishes(graph("Relu", name="z")), "declined: input 'x' was renamed to 'z'"),
        (finishes(graph("Relu", width=8)), "declined: the input's shape ['batch', 'channels'] became ['batch', 8]"),
        (finishes(graph("Identity", "Relu")), "nothing to simplify in 2 nodes"),
    ],
)
def test_the_model_stays_unless_onnxsim_succeeds(run: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "ONNXSIM", run)
    model = graph("Identity", "Relu")
    result = Simplify()(model)
    assert (result.changed, result.summary) == (False, reason)
    assert result.model is model


def test_a_model_with_fewer_nodes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "ONNXSIM", finishes(graph("Relu")))
    result = Simplify()(graph("Identity", "Relu"))
    assert (result.changed, result.summary) == (True, "2 to 1 nodes")
    assert [node.op_type for node in result.model.graph.node] == ["Relu"]


def test_a_large_model_is_declined_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "is_large", lambda _: True)
    assert Simplify()(graph("Relu")).summary == "declined: onnxsim does not accept weights above 2 GiB"
