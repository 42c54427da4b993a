from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.halo.derivation import halo_of
from upconv.export.halo.global_means import GlobalMean, PassFields, global_means, pass_fields
from upconv.export.halo.receptive_field import ReceptiveField
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


def test_every_mean_is_found_in_the_order_of_the_graph() -> None:
    nodes = [
        helper.make_node("ReduceMean", ["features", "three"], ["rows"]),
        helper.make_node("GlobalAveragePool", ["image"], ["first"]),
        helper.make_node("Relu", ["rows"], ["between"]),
        helper.make_node("ReduceMean", ["rows", "two"], ["second"]),
    ]
    found = global_means(graph_of(CONV, *nodes, two=[2], three=[3]))
    assert found == (GlobalMean("image", "first", flat=False), GlobalMean("features", "second", flat=False))


def test_a_mean_that_keeps_one_axis_is_flat_if_either_step_is() -> None:
    rows = helper.make_node("ReduceMean", ["features", "three"], ["rows"], keepdims=1)
    mean = helper.make_node("ReduceMean", ["rows", "two"], ["mean"], keepdims=0)
    assert global_means(graph_of(CONV, rows, mean, two=[2], three=[3])) == (GlobalMean("features", "mean", flat=True),)


@pytest.mark.parametrize("axis", [1, 0])
def test_a_mean_over_an_axis_of_rows_that_is_not_the_other_one_is_not_found(axis: int) -> None:
    rows = helper.make_node("ReduceMean", ["features", "three"], ["rows"], keepdims=0)
    mean = helper.make_node("ReduceMean", ["rows", "other"], ["mean"])
    assert not global_means(graph_of(CONV, rows, mean, three=[3], other=[axis]))


def test_a_mean_over_all_axes_is_not_found() -> None:
    assert not global_means(graph_of(CONV, helper.make_node("ReduceMean", ["features"], ["mean"])))


def test_axes_may_be_attributes() -> None:
    mean = helper.make_node("ReduceMean", ["features"], ["mean"], axes=[2, 3], keepdims=0)
    assert global_means(graph_of(CONV, mean)) == (GlobalMean("features", "mean", flat=True),)


def test_the_first_step_of_a_mean_has_no_field_of_its_own() -> None:
    rows = helper.make_node("ReduceMean", ["features", "three"], ["rows"])
    mean = helper.make_node("ReduceMean", ["rows", "two"], ["mean"])
    found = pass_fields(graph_of(CONV, rows, mean, EXCITE, PRODUCT, two=[2], three=[3]))
    assert isinstance(found, PassFields)
    assert (found.levels, halo_of(found.output)) == ((0,), Halo(top=1, bottom=1, left=1, right=1))


def test_an_operator_on_features_beside_a_mean_has_the_field_of_the_features() -> None:
    join = helper.make_node("Concat", ["features", "factor"], ["joined"], axis=1)
    shape = helper.make_node("Shape", ["features"], ["shape"])
    last = helper.make_node("Expand", ["factor", "shape"], ["spread"])
    found = pass_fields(graph_of(CONV, POOL, EXCITE, shape, last, join))
    assert isinstance(found, PassFields)
    assert found.output == (ReceptiveField(low=Fraction(-1), high=Fraction(1)),) * 2


@pytest.mark.parametrize("kernel", ["unknown", "wide"])
def test_a_convolution_of_a_mean_is_refused_unless_its_kernel_is_one_pixel(kernel: str) -> None:
    conv = helper.make_node("Conv", ["mean", kernel], ["factor"])
    assert pass_fields(graph_of(CONV, POOL, conv, PRODUCT)) == NoHalo(
        node="Conv making factor", reason="Conv reads neighbours in a tensor that is computed from a mean"
    )


@pytest.mark.parametrize("kind", ["Relu", "Softmax"])
def test_what_keeps_a_mean_uniform_is_allowed(kind: str) -> None:
    factor = helper.make_node(kind, ["mean"], ["factor"])
    assert isinstance(pass_fields(graph_of(CONV, POOL, factor, PRODUCT)), PassFields)


def test_an_output_without_positions_is_named() -> None:
    assert pass_fields(graph_of(CONV, POOL, EXCITE)) == NoHalo(
        node="factor", reason="it does not depend on the position in the input"
    )


def test_the_means_of_features_at_twice_the_resolution_cost_four_times_as_much() -> None:
    """Of w, 108 weights, once per pixel; of the transposed wide, 144, once per its input; of wide, four times; of one, never."""
    nodes = [
        helper.make_node(
            "ConvTranspose", ["features", "wide"], ["large"], strides=[2, 2], kernel_shape=[3, 3], pads=[1, 1, 0, 0]
        ),
        helper.make_node("GlobalAveragePool", ["large"], ["mean"]),
        EXCITE,
        helper.make_node("Mul", ["large", "factor"], ["weighed"]),
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.array(0.5, np.float32))),
        helper.make_node("Mul", ["weighed", "half"], ["darker"]),
        helper.make_node("Conv", ["darker", "wide"], ["end"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["weighed", "unknown"], ["unused"], kernel_shape=[3, 3]),
    ]
    made = graph_of(CONV, *nodes)
    made.graph.output[0].name = "end"
    found = pass_fields(made)
    assert isinstance(found, PassFields)
    once = 108 + 144 + 4 * 144
    assert found.products == once + 108 + 144
    assert found.cost == found.products / once


def test_the_last_pass_does_not_compute_what_only_a_mean_needs() -> None:
    aside = helper.make_node("Conv", ["features", "wide"], ["aside"], pads=[1, 1, 1, 1])
    pool = helper.make_node("GlobalAveragePool", ["aside"], ["mean"])
    found = pass_fields(graph_of(CONV, aside, pool, EXCITE, PRODUCT))
    assert isinstance(found, PassFields)
    assert (found.products, found.cost) == (108 + 108 + 144, (108 + 108 + 144) / 108)


def test_a_graph_without_convolutions_costs_one_more_for_each_pass() -> None:
    pool = helper.make_node("GlobalAveragePool", ["image"], ["mean"])
    centred = helper.make_node("Sub", ["image", "mean"], ["centred"])
    found = pass_fields(graph_of(pool, centred))
    assert isinstance(found, PassFields)
    assert (found.products, found.cost, found.levels) == (0.0, 2.0, (0,))
