from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.nearest_conv_to_phases import nearest_conv_to_phases as stage

random = np.random.default_rng(0)
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def enlarged(
    graph: Any, scales: list[float], kernel: tuple[int, int], groups: int = 1, bias: bool = True, **attributes: Any
) -> Any:
    made = graph()
    made.add("Resize", ["x", "", made.weight("s", np.array([1, 1, *scales], np.float32))], "r", **(FLOOR | attributes))
    weight = made.weight("w", random.normal(size=(4, 4 // groups, *kernel)))
    biases = [made.weight("b", random.normal(size=4))] if bias else []
    pads = [kernel[0] // 2, kernel[1] // 2] * 2
    made.add("Conv", ["r", weight, *biases], "y", group=groups, pads=pads)
    return made


@settings(max_examples=40, deadline=None)
@given(
    scales=st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda s: s != (1, 1)),
    kernel=st.tuples(st.sampled_from([1, 3, 5, 7]), st.sampled_from([1, 3, 5])),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    size=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
)
def test_the_same_image_from_phases(
    graph: Any,
    applied: Any,
    scales: tuple[int, int],
    kernel: tuple[int, int],
    groups: int,
    bias: bool,
    size: tuple[int, int, int],
) -> None:
    shape = (size[0], 4, *size[1:])
    model = enlarged(graph, list(scales), kernel, groups, bias).model(shape)
    result = applied(stage, model, random.normal(size=shape))
    assert result.changed
    assert "Resize" not in [node.op_type for node in result.model.graph.node]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_half_a_pixel_off_and_rounded_is_the_same(graph: Any, applied: Any, scale: int) -> None:
    attributes: dict[str, Any] = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"}
    model = enlarged(graph, [scale, scale], (3, 3), **attributes).model((1, 4, 5, 4))
    assert applied(stage, model, random.normal(size=(1, 4, 5, 4))).changed


def test_two_after_another(graph: Any, applied: Any) -> None:
    made = enlarged(graph, [2, 2], (3, 3))
    made.nodes[-1].output[0] = "m"
    made.add("Resize", ["m", "", "s"], "r2", **FLOOR)
    made.add("Conv", ["r2", "w", "b"], "y", pads=[1, 1, 1, 1])
    result = applied(stage, made.model((2, 4, 3, 5)), random.normal(size=(2, 4, 3, 5)))
    assert "Resize" not in [node.op_type for node in result.model.graph.node]


@pytest.mark.parametrize(
    ("scales", "attributes", "pads", "reason"),
    [
        ([1.5, 2], {}, None, "whole numbers"),
        ([2, 2], {"mode": "linear"}, None, "mode is not nearest"),
        ([2, 2], {"nearest_mode": "ceil"}, None, "floor(i / s)"),
        ([2, 2], {"coordinate_transformation_mode": "align_corners"}, None, "floor(i / s)"),
        ([2, 2], {}, [0, 0, 0, 0], "changes the size"),
        ([2, 2], {}, [2, 1, 0, 1], "changes the size"),
    ],
)
def test_what_cannot_be_proved_equal_is_left(
    graph: Any, scales: list[float], attributes: dict[str, Any], pads: list[int] | None, reason: str
) -> None:
    made = enlarged(graph, scales, (3, 3), **attributes)
    if pads is not None:
        next(a for a in made.nodes[-1].attribute if a.name == "pads").ints[:] = pads
    result = stage(made.model((1, 4, 5, 5)))
    assert not result.changed
    assert reason in result.summary
