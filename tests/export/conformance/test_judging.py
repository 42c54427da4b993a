from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.grid_backends import GridBackend
from upconv.export.conformance.judging import CaseJudge, only
from upconv.export.conformance.results import CaseResult
from upconv.runtime.errors import ExportError

X = np.array([1, 2], np.float32)


class Shifted(OnnxruntimeBackend):
    """Adds one to every output."""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [output + 1 for output in super().run(inputs)]


def graph() -> onnx.ModelProto:
    """Two outputs of one input: its negative, and its double."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "negative", "double")]
    nodes = [helper.make_node("Neg", ["x"], ["negative"]), helper.make_node("Add", ["x", "x"], ["double"])]
    made = helper.make_graph(nodes, "g", values[:1], values[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def results(opener: Callable[[onnx.ModelProto], OnnxruntimeBackend]) -> list[CaseResult]:
    cases = [GridCase("nn.Upsample", (("size", 2), ("mode", mode)), 1) for mode in ("linear", "area")]
    outputs = [[-X, 2 * X]]
    exact = [[y.astype(np.float64) for y in row] for row in outputs]
    return CaseJudge(cases, [X], exact, outputs).results(GridBackend("made-up", opener), graph())


def test_each_output_is_judged_for_its_own_case() -> None:
    assert [result.status for result in results(OnnxruntimeBackend)] == ["equal", "equal"]
    assert [result.status for result in results(Shifted)] == ["differs", "differs"]


def test_a_runtime_that_fails_on_the_group_runs_each_part() -> None:
    def refusing(model: onnx.ModelProto) -> OnnxruntimeBackend:
        if any(node.op_type == "Neg" for node in model.graph.node):
            raise ExportError("no Neg")
        return OnnxruntimeBackend(model)

    assert [(result.status, result.reason) for result in results(refusing)] == [("unsupported", "no Neg"), ("equal", "")]


def test_a_part_holds_only_the_nodes_of_its_output() -> None:
    part = only(graph(), 1)
    assert [node.op_type for node in part.graph.node] == ["Add"]
    assert [value.name for value in part.graph.output] == ["double"]
