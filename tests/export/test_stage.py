from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from upconv.export.opset import RaiseOpset
from upconv.export.rewrite import RULES, every_conv_transpose_to_phases
from upconv.export.simplify import Simplify
from upconv.export.stage import NOTHING, Stage


@pytest.mark.parametrize("stage", [*RULES, every_conv_transpose_to_phases], ids=lambda stage: stage.name)
def test_a_rewrite_finds_nothing_in_a_graph_without_its_operators(stage: Stage) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "g", values[:1], values[1:]))
    result = stage(model)
    assert (result.changed, result.summary) == (False, NOTHING)
    assert result.model is model


def test_each_stage_has_a_name_of_its_own() -> None:
    stages: list[Stage] = [Simplify(), RaiseOpset(18), *RULES, every_conv_transpose_to_phases]
    assert len({stage.name for stage in stages}) == len(stages)
