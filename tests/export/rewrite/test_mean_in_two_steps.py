from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.rewrite.mean_in_two_steps import mean_in_two_steps as stage

random = np.random.default_rng(0)


@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [-2, -1], [1, 2, 3], [-3, -1], [0, 2]], ids=str)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_mean_over_several_axes_becomes_one_for_each(graph: Any, applied: Any, axes: list[int], keepdims: int) -> None:
    made = graph()
    made.add("ReduceMean", ["x", made.weight("axes", np.array(axes, np.int64))], "y", keepdims=keepdims)
    model = made.model((2, 3, 4, 5))
    if not keepdims:
        del model.graph.output[0].type.tensor_type.shape.dim[4 - len(axes) :]
    result = applied(stage, model, random.normal(size=(2, 3, 4, 5)))
    assert [node.op_type for node in result.model.graph.node] == ["ReduceMean"] * len(axes)


@pytest.mark.parametrize("axes", [[2], [-1], [-1, 2]], ids=str)
def test_other_means_are_left(graph: Any, axes: list[int]) -> None:
    made = graph()
    made.add("ReduceMean", ["x", made.weight("axes", np.array(axes, np.int64))], "y")
    assert not stage(made.model((2, 3, 4, 5))).changed


@pytest.mark.parametrize(("shape", "changed"), [((2, 3, 4, 5), True), ((2, 3, 4), False), ((2, 3, 4, 5, 2), False)], ids=str)
def test_a_pool_of_pictures_becomes_two_means(graph: Any, applied: Any, shape: tuple[int, ...], changed: bool) -> None:
    made = graph()
    made.add("GlobalAveragePool", ["x"], "y")
    assert applied(stage, made.model(shape), random.normal(size=shape)).changed == changed


@pytest.mark.parametrize(("rank", "changed"), [(4, True), (3, False)])
def test_the_convolution_before_a_pool_tells_its_rank(graph: Any, applied: Any, rank: int, changed: bool) -> None:
    made, shape = graph(), (2, 3, 4, 5)[:rank]
    made.add("Conv", ["x", made.weight("w", random.normal(size=(3, 3, 1, 1)[:rank]))], "c")
    made.add("Relu", ["c"], "r")
    made.add("GlobalAveragePool", ["r"], "y")
    assert applied(stage, made.model(shape), random.normal(size=shape)).changed == changed


def test_the_mean_of_a_large_picture_is_more_accurate() -> None:
    picture = random.random((1, 8, 500, 500), np.float32)
    exact = picture.astype(np.float64).mean((2, 3), keepdims=True)
    before = helper.make_model(
        helper.make_graph(
            [helper.make_node("ReduceMean", ["x", "axes"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, "h", "w"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 1, 1])],
            [numpy_helper.from_array(np.array([2, 3], np.int64), "axes")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    errors = [np.abs(_run(model, picture) - exact).max() for model in (before, stage(before).model)]
    assert errors[1] < errors[0] / 4


def _run(model: onnx.ModelProto, picture: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: np.ndarray = session.run(None, {"x": picture})[0]
    return output
