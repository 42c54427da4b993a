"""onnx's own test cases of the rewritten operators, alone and followed by a convolution, through every rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tests.export.onnx_cases import onnx_cases

from upconv.export.rewrite import RULES, every_conv_transpose_to_phases

OPERATORS = ("Resize", "ConvTranspose", "DepthToSpace", "PRelu", "Upsample")
EVERY = (*RULES, every_conv_transpose_to_phases)


def cases() -> Iterator[Any]:
    for operator in OPERATORS:
        for case in onnx_cases(operator):
            if case.model.opset_import[0].version >= 18:
                yield pytest.param(case.model, case.data_sets[0][0], id=case.name)


def bound(model: onnx.ModelProto, inputs: list[Any], kernel: int) -> onnx.ModelProto | None:
    """Return the model with all but its first input constant, followed by a convolution, or `None` if that is impossible."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    for value, array in list(zip(graph.input, inputs, strict=True))[1:]:
        graph.input.remove(value)
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
    if kernel:
        shape = computed(copy, inputs[0]).shape
        if len(shape) != 4 or inputs[0].dtype != np.float32:
            return None
        weight = np.random.default_rng(0).normal(size=(2, shape[1], kernel, kernel)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(weight, "added_weight"))
        made = graph.output[0].name
        graph.node.append(helper.make_node("Conv", [made, "added_weight"], ["added"], pads=[kernel // 2] * 4))
        graph.output[0].CopyFrom(helper.make_tensor_value_info("added", TensorProto.FLOAT, None))
    return copy


def computed(model: onnx.ModelProto, x: Any) -> Any:
    made: Any = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x})
    return made[0]


@pytest.mark.parametrize("kernel", [0, 1, 3])
@pytest.mark.parametrize(("model", "inputs"), list(cases()))
def test_onnx_own_cases_survive_every_rule(model: onnx.ModelProto, inputs: list[Any], kernel: int) -> None:
    plain = bound(model, inputs, kernel)
    if plain is None:
        return
    rewritten, changed = plain, False
    for rule in EVERY:
        result = rule(rewritten)
        rewritten, changed = result.model, changed or result.changed
    if changed:
        np.testing.assert_allclose(computed(rewritten, inputs[0]), computed(plain, inputs[0]), rtol=1e-4, atol=1e-4)


def test_the_cases_reach_the_rules() -> None:
    changed = {
        rule.name
        for model, inputs in (case.values for case in cases())
        for kernel in (0, 1, 3)
        if (plain := bound(model, inputs, kernel)) is not None
        for rule in EVERY
        if rule(plain).changed
    }
    assert changed >= {"nearest_conv_to_phases", "pointwise_before_resize"}
