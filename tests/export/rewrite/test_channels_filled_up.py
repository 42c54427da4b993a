from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.channels_filled_up import channels_filled_up as stage

random = np.random.default_rng(0)


def pair(graph: Any, channels: int, between: str | None, bias: bool = True, kernel: int = 3, **attributes: Any) -> Any:
    made = graph()
    biases = [made.weight("b", random.normal(size=channels))] if bias else []
    made.add("Conv", ["x", made.weight("w", random.normal(size=(channels, 2, kernel, kernel))), *biases], "c", **attributes)
    if between is not None:
        slopes = [made.weight("a", random.normal(size=(channels, 1, 1)))] if between == "PRelu" else []
        made.add(between, ["c", *slopes], "r")
    weight = made.weight("v", random.normal(size=(3, channels, 1, 3)))
    made.add("Conv", ["r" if between else "c", weight], "y", strides=[1, 2], pads=[0, 1, 0, 1])
    return made


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(10, 17),
    between=st.sampled_from([None, "Relu", "LeakyRelu", "PRelu"]),
    bias=st.booleans(),
    kernel=st.sampled_from([1, 3]),
    size=st.tuples(st.integers(1, 3), st.integers(3, 7), st.integers(3, 17)),
)
def test_zeros_weigh_nothing(
    graph: Any, applied: Any, channels: int, between: str | None, bias: bool, kernel: int, size: tuple[int, int, int]
) -> None:
    shape = (size[0], 2, *size[1:])
    result = applied(stage, pair(graph, channels, between, bias, kernel).model(shape), random.normal(size=shape))
    assert result.changed == (12 <= channels < 16)


def test_one_after_the_other(graph: Any, applied: Any) -> None:
    made = pair(graph, 12, "PRelu")
    made.nodes[-1].output[0] = "m"
    made.weights["v"] = random.normal(size=(13, 12, 1, 3))
    made.add("Conv", ["m", made.weight("u", random.normal(size=(1, 13, 1, 1)))], "y")
    result = applied(stage, made.model((1, 2, 5, 5)), random.normal(size=(1, 2, 5, 5)))
    assert {t.dims[0] for t in result.model.graph.initializer if len(t.dims) == 4} == {16, 1}


@pytest.mark.parametrize(
    ("case", "reason"),
    [("groups", "in groups"), ("one slope", "one for each channel"), ("dynamic", "not constant"), ("used", "")],
)
def test_what_cannot_be_filled_up_is_left(graph: Any, case: str, reason: str) -> None:
    made = pair(graph, 12, "PRelu", group=2 if case == "groups" else 1)
    if case == "groups":
        made.weights["w"] = random.normal(size=(12, 1, 3, 3))
    elif case == "one slope":
        made.weights["a"] = random.normal(size=(1,))
    elif case == "dynamic":
        made.nodes[-1].input[1] = "r"
    result = stage(made.model((1, 2, 5, 5), ["y", "c"] if case == "used" else ["y"]))
    assert not result.changed
    assert reason in result.summary
