from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.halo.derivation import halo_of
from upconv.export.halo.global_means import PassFields, global_means, pass_fields
from upconv.runtime.contract import Halo, NoHalo


def graph_of(*nodes: onnx.NodeProto, **constants: list[int]) -> onnx.ModelProto:
    """Return a graph from `image` to the output of the last node, with the weights w (4, 3, 3, 3), one and wide (4, 4, 3, 3)."""
    random = np.random.default_rng(0)
    weights = {
        "w": random.random((4, 3, 3, 3), np.float32),
        "one": random.random((4, 4, 1, 1), np.float32),
        "wide": random.random((4, 4, 3, 3), np.float32),
        **{name: np.array(value, np.int64) for name, value in constants.items()},
    }
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "test",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    )


CONV = helper.make_node("Conv", ["image", "w"], ["features"], pads=[1, 1, 1, 1])
EXCITE = helper.make_node("Conv", ["mean", "one"], ["factor"])
PRODUCT = helper.make_node("Mul", ["features", "factor"], ["output"])
POOL = helper.make_node("GlobalAveragePool", ["features"], ["mean"])


@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [-1, -2]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_mean_over_height_and_width_is_found(axes: list[int], keepdims: int) -> None:
    mean = helper.make_node("ReduceMean", ["features", "axes"], ["mean"], keepdims=keepdims)
    (found,) = global_means(graph_of(CONV, mean, axes=axes))
    assert (found.features, found.mean, found.flat) == ("features", "mean", not keepdims)


@pytest.mark.parametrize(
    ("first", "second", "keepdims"), [([3], [2], 1), ([2], [3], 1), ([-1], [-2], 1), ([3], [2], 0), ([2], [-1], 0)]
)
def test_a_mean_in_two_steps_is_found(first: list[int], second: list[int], keepdims: int) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["features", "first"], ["rows"], keepdims=keepdims),
        helper.make_node("ReduceMean", ["rows", "second"], ["mean"], keepdims=keepdims),
    ]
    (found,) = global_means(graph_of(CONV, *nodes, first=first, second=second))
    assert (found.features, found.mean, found.flat) == ("features", "mean", not keepdims)


@pytest.mark.parametrize("axes", [[1], [1, 2], [1, 2, 3], [0, 2, 3], [2]])
def test_a_mean_over_other_axes_is_not(axes: list[int]) -> None:
    assert not global_means(graph_of(CONV, helper.make_node("ReduceMean", ["features", "axes"], ["mean"]), axes=axes))


def test_the_same_axis_twice_is_not_a_mean_over_both() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["features", "axis"], ["rows"]),
        helper.make_node("ReduceMean", ["rows", "axis"], ["mean"]),
    ]
    assert not global_means(graph_of(CONV, *nodes, axis=[3]))


def test_a_graph_whose_mean_is_given_has_a_halo() -> None:
    last = helper.make_node("Conv", ["output", "wide"], ["end"], pads=[1, 1, 1, 1])
    found = pass_fields(graph_of(CONV, POOL, EXCITE, PRODUCT, last))
    assert isinstance(found, PassFields)
    assert found.levels == (0,)
    assert halo_of(found.features[0]) == Halo(top=1, bottom=1, left=1, right=1)
    assert halo_of(found.output) == Halo(top=2, bottom=2, left=2, right=2)
    assert found.cost == pytest.approx((2 * 108 + 144 + 16) / (108 + 144 + 16), rel=0.1)


def test_a_mean_that_needs_another_mean_is_one_level_higher() -> None:
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squares"]),
        helper.make_node("GlobalAveragePool", ["squares"], ["variance"]),
        helper.make_node("Div", ["centred", "variance"], ["normal"]),
    ]
    found = pass_fields(graph_of(CONV, POOL, *nodes))
    assert isinstance(found, PassFields)
    assert found.levels == (0, 1)


def test_a_kernel_on_an_enlarged_mean_is_refused() -> None:
    """It would see the padding at the border of the picture, so its result depends on the position."""
    shape = helper.make_node("Shape", ["features"], ["shape"])
    expand = helper.make_node("Expand", ["mean", "shape"], ["spread"])
    kernel = helper.make_node("Conv", ["spread", "wide"], ["factor"], pads=[1, 1, 1, 1])
    found = pass_fields(graph_of(CONV, POOL, shape, expand, kernel, PRODUCT))
    assert isinstance(found, NoHalo)
    assert "reads neighbours" in found.reason


def test_what_has_no_bound_for_another_reason_is_named() -> None:
    found = pass_fields(
        graph_of(CONV, POOL, EXCITE, PRODUCT, helper.make_node("Softmax", ["output"], ["end"], axis=3, name="attention"))
    )
    assert isinstance(found, NoHalo)
    assert found.node == "attention"


def test_an_output_without_positions_is_refused() -> None:
    found = pass_fields(graph_of(CONV, POOL, EXCITE))
    assert isinstance(found, NoHalo)
    assert "does not depend on the position" in found.reason
