from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.conv_transpose_to_phases import conv_transpose_to_phases as where_it_gains
from upconv.export.rewrite.conv_transpose_to_phases import every_conv_transpose_to_phases as stage

random = np.random.default_rng(0)


def transposed(graph: Any, kernel: tuple[int, int], groups: int = 1, bias: bool = True, **attributes: Any) -> Any:
    made = graph()
    biases = [made.weight("b", random.normal(size=2 * groups))] if bias else []
    weight = made.weight("w", random.normal(size=(4, 2, *kernel)))
    made.add("ConvTranspose", ["x", weight, *biases], "y", group=groups, **attributes)
    return made


@settings(max_examples=120, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    extra=st.tuples(st.integers(0, 2), st.integers(0, 1)),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    size=st.tuples(st.integers(1, 3), st.integers(3, 8), st.integers(3, 17)),
)
def test_the_same_numbers_or_a_reason(
    graph: Any,
    applied: Any,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    extra: tuple[int, int],
    groups: int,
    bias: bool,
    size: tuple[int, int, int],
) -> None:
    extra = (min(extra[0], strides[0] - 1), min(extra[1], strides[1] - 1))
    made = transposed(graph, kernel, groups, bias, strides=strides, pads=pads, output_padding=extra)
    shape = (size[0], 4, *size[1:])
    result = applied(stage, made.model(shape), random.normal(size=shape))
    assert result.changed != result.summary.startswith("declined")


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        ((4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((6, 6), {"strides": [2, 2], "pads": [2, 2, 2, 2]}),
        ((9, 9), {"strides": [3, 3], "pads": [3, 3, 3, 3]}),
        ((2, 2), {"strides": [2, 2]}),
        ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((5, 4), {"strides": [1, 2], "pads": [2, 1, 2, 1]}),
    ],
)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_usual_layers_are_rewritten(
    graph: Any, applied: Any, kernel: tuple[int, int], attributes: dict[str, Any], groups: int
) -> None:
    made = transposed(graph, kernel, groups, **attributes)
    result = applied(stage, made.model((2, 4, 5, 3)), random.normal(size=(2, 4, 5, 3)))
    assert result.changed
    assert "ConvTranspose" not in [node.op_type for node in result.model.graph.node]


@pytest.mark.parametrize(
    ("kernel", "attributes", "reason"),
    [
        ((3, 3), {"strides": [2, 2], "dilations": [2, 2]}, "dilated"),
        ((3, 3), {"strides": [2, 2]}, "different sizes"),
        ((3, 3), {"pads": [1, 1, 1, 1]}, "stride is 1"),
        ((2, 2), {"strides": [4, 4], "output_padding": [2, 2]}, "no tap"),
        ((4, 4), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, "output's size"),
    ],
)
def test_what_has_no_equal_phases_is_left(graph: Any, kernel: tuple[int, int], attributes: dict[str, Any], reason: str) -> None:
    result = stage(transposed(graph, kernel, **attributes).model((1, 4, 5, 5)))
    assert not result.changed
    assert reason in result.summary


@pytest.mark.parametrize(
    ("channels", "kernel", "pads", "form"),
    [
        (16, 4, 1, "separate"),
        (24, 4, 1, "separate"),
        (3, 6, 2, "stacked"),
        (3, 4, 1, "so few output channels"),
        (1, 9, 4, "so few output channels"),
        (16, 2, 0, "nothing overlaps"),
    ],
)
def test_float32_is_rewritten_where_that_was_measured_to_gain(
    graph: Any, applied: Any, channels: int, kernel: int, pads: int, form: str
) -> None:
    made = graph()
    weight = made.weight("w", random.normal(size=(2, channels, kernel, kernel)))
    attributes = {"strides": [2, 2], "pads": [pads] * 4, "output_padding": [kernel % 2] * 2}
    made.add("ConvTranspose", ["x", weight], "y", **attributes)
    result = applied(where_it_gains, made.model((1, 2, 3, 5)), random.normal(size=(1, 2, 3, 5)))
    forms = {"separate": "Concat", "stacked": "DepthToSpace"}
    assert result.changed == (form in forms)
    if result.changed:
        assert forms[form] in [node.op_type for node in result.model.graph.node]
    else:
        assert form in result.summary


@pytest.mark.parametrize("kind", ["Relu", "LeakyRelu", "Sigmoid", "Tanh"])
def test_an_activation_moves_before_the_interleave(graph: Any, applied: Any, kind: str) -> None:
    made = transposed(graph, (4, 4), strides=[2, 2], pads=[1, 1, 1, 1])
    made.nodes[-1].output[0] = "t"
    made.add(kind, ["t"], "y")
    result = applied(stage, made.model((1, 4, 5, 3)), random.normal(size=(1, 4, 5, 3)))
    nodes = {node.output[0]: node.op_type for node in result.model.graph.node}
    assert nodes["y"] in ("DepthToSpace", "Reshape")
    assert kind in nodes.values()


def test_what_is_cropped_beyond_its_padding_is_one_convolution(graph: Any, applied: Any) -> None:
    made = transposed(graph, (4, 4), strides=[2, 2], pads=[3, 3, 3, 3])
    result = applied(stage, made.model((1, 4, 6, 7)), random.normal(size=(1, 4, 6, 7)))
    assert [node.op_type for node in result.model.graph.node] == ["Conv", "DepthToSpace"]
