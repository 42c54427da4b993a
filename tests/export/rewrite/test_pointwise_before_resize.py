from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.pointwise_before_resize import pointwise_before_resize as stage

random = np.random.default_rng(0)


def enlarged(graph: Any, scales: list[float], groups: int = 1, bias: bool = True, kernel: int = 1, **attributes: Any) -> Any:
    made = graph()
    made.add("Resize", ["x", "", made.weight("s", np.array(scales, np.float32))], "r", **attributes)
    weight = made.weight("w", random.normal(size=(6, 4 // groups, kernel, kernel)))
    biases = [made.weight("b", random.normal(size=6))] if bias else []
    made.add("Conv", ["r", weight, *biases], "y", group=groups)
    return made


@settings(max_examples=25, deadline=None)
@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    place=st.sampled_from(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]),
    scale=st.sampled_from([1, 1.5, 2, 3]),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    size=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
)
def test_the_convolution_moves(
    graph: Any, applied: Any, mode: str, place: str, scale: float, groups: int, bias: bool, size: tuple[int, int, int]
) -> None:
    made = enlarged(graph, [1, 1, scale, 2], groups, bias, mode=mode, coordinate_transformation_mode=place)
    shape = (size[0], 4, *size[1:])
    result = applied(stage, made.model(shape), random.normal(size=shape))
    assert [node.op_type for node in result.model.graph.node] == ["Conv", "Resize"]


@pytest.mark.parametrize(
    ("scales", "kernel", "attributes", "reason"),
    [
        ([1, 1, 2, 2], 3, {}, "not 1x1"),
        ([1, 1, 0.5, 2], 1, {}, "does not upsample"),
        ([1, 2, 2, 2], 1, {}, "batch or channels"),
        ([1, 1, 2, 2], 1, {"coordinate_transformation_mode": "tf_crop_and_resize"}, "outside"),
    ],
)
def test_what_is_no_enlargement_before_a_pointwise_convolution_is_left(
    graph: Any, scales: list[float], kernel: int, attributes: dict[str, Any], reason: str
) -> None:
    result = stage(enlarged(graph, scales, kernel=kernel, **attributes).model((1, 4, 5, 5)))
    assert not result.changed
    assert reason in result.summary


def test_an_enlargement_that_others_use_is_left(graph: Any) -> None:
    made = enlarged(graph, [1, 1, 2, 2])
    assert not stage(made.model((1, 4, 5, 5), ["y", "r"])).changed
