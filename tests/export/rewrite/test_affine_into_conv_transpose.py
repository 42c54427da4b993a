from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.affine_into_conv_transpose import affine_into_conv_transpose as stage

random = np.random.default_rng(0)


def followed(graph: Any, kind: str, channels: int, inputs: int, **attributes: Any) -> Any:
    """Return a graph of a ConvTranspose and the operator after it."""
    made = graph()
    groups = attributes.get("group", 1)
    weight = made.weight("w", random.normal(size=(inputs, channels // groups, 3, 2)))
    bias = [made.weight("b", random.normal(size=channels))] if attributes.pop("bias", True) else []
    made.add("ConvTranspose", ["x", weight, *bias], "t", **attributes)
    if kind == "BatchNormalization":
        constants = [made.weight(name, random.uniform(0.5, 2, channels)) for name in ("scale", "shift", "mean", "variance")]
        made.add(kind, ["t", *constants], "y", epsilon=1e-3)
    else:
        made.add(kind, ["t", made.weight("a", random.normal(size=(1, channels, 1, 1)))], "y")
    return made


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["BatchNormalization", "Mul", "Add"]),
    groups=st.sampled_from([1, 2, 4]),
    per_group=st.integers(1, 3),
    bias=st.booleans(),
    stride=st.integers(1, 3),
    pads=st.integers(0, 1),
    size=st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 17)),
)
def test_what_follows_is_folded(
    graph: Any,
    applied: Any,
    kind: str,
    groups: int,
    per_group: int,
    bias: bool,
    stride: int,
    pads: int,
    size: tuple[int, int, int],
) -> None:
    made = followed(graph, kind, per_group * groups, 4, group=groups, bias=bias, strides=[stride] * 2, pads=[pads, 0, 0, 0])
    n, height, width = size
    result = applied(stage, made.model((n, 4, height, width)), random.normal(size=(n, 4, height, width)))
    assert result.changed
    assert [node.op_type for node in result.model.graph.node] == ["ConvTranspose"]


@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 1, 1, 1)])
def test_constants_of_every_shape_that_means_one_for_each_channel(graph: Any, applied: Any, shape: tuple[int, ...]) -> None:
    made = followed(graph, "Mul", 3, 2)
    made.weights["a"] = random.normal(size=shape)
    assert applied(stage, made.model((1, 2, 5, 5)), random.normal(size=(1, 2, 5, 5))).changed


def test_one_after_the_other(graph: Any, applied: Any) -> None:
    made = followed(graph, "BatchNormalization", 3, 2)
    made.nodes[-1].output[0] = "n"
    made.add("Mul", ["n", made.weight("a", random.normal(size=(3, 1, 1)))], "m")
    made.add("Add", [made.weight("c", random.normal(size=(3, 1, 1))), "m"], "y")
    result = applied(stage, made.model((1, 2, 5, 5)), random.normal(size=(1, 2, 5, 5)))
    assert [node.op_type for node in result.model.graph.node] == ["ConvTranspose"]


def test_shared_weights_are_left_to_the_other(graph: Any, applied: Any) -> None:
    made = followed(graph, "Mul", 3, 2)
    made.nodes[-1].output[0] = "first"
    made.add("ConvTranspose", ["x", "w"], "second")
    made.add("Add", ["first", "second"], "y")
    result = applied(stage, made.model((1, 2, 5, 5)), random.normal(size=(1, 2, 5, 5)))
    assert result.changed
    assert "Mul" not in [node.op_type for node in result.model.graph.node]


@pytest.mark.parametrize("case", ["a map", "dynamic", "used twice", "an output", "weights that are fed"])
def test_what_cannot_be_folded_is_left(graph: Any, applied: Any, case: str) -> None:
    made = followed(graph, "Mul", 3, 2)
    outputs = ["y"]
    if case == "a map":
        made.weights["a"] = random.normal(size=(1, 3, 7, 6))
    elif case == "dynamic":
        made.nodes[-1].input[1] = "t"
    elif case == "used twice":
        made.nodes[-1].output[0] = "m"
        made.add("Add", ["m", "t"], "y")
    elif case == "an output":
        outputs = ["y", "t"]
    else:
        made.add("Identity", ["w"], "w2")
        made.nodes.insert(0, made.nodes.pop())
        made.nodes[1].input[1] = "w2"
        made.nodes[0].input[0] = "x"
        made.nodes[0].op_type = "Identity"
    model = made.model((1, 2, 5, 5), outputs)
    assert not stage(model).changed
