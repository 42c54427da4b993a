from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.prelu_to_elementwise import prelu_to_elementwise as stage

random = np.random.default_rng(0)


def prelu(graph: Any, slopes: np.ndarray) -> Any:
    made = graph()
    made.add("PRelu", ["x", made.weight("a", slopes)], "y")
    return made


@settings(max_examples=30, deadline=None)
@given(low=st.floats(-2, 2), high=st.floats(-2, 2), size=st.integers(1, 17), batch=st.integers(1, 3))
def test_any_slopes(graph: Any, applied: Any, low: float, high: float, size: int, batch: int) -> None:
    slopes = np.linspace(low, high, 5, dtype=np.float32).astype(np.float64).reshape(5, 1, 1)
    result = applied(stage, prelu(graph, slopes).model((batch, 5, size, 3)), random.normal(size=(batch, 5, size, 3)))
    assert result.changed
    assert "PRelu" not in [node.op_type for node in result.model.graph.node]


@pytest.mark.parametrize(
    ("slopes", "operators"),
    [
        ([0.25, 0.25], {"LeakyRelu"}),
        ([0.0, 1.0], {"Mul", "Max"}),
        ([1.0, 3.0], {"Mul", "Min"}),
        ([-0.1, 0.5], {"Relu", "Min", "Mul", "Add"}),
    ],
)
def test_the_cheapest_form_is_taken(graph: Any, applied: Any, slopes: list[float], operators: set[str]) -> None:
    model = prelu(graph, np.array(slopes).reshape(2, 1, 1)).model((1, 2, 4, 4))
    result = applied(stage, model, random.normal(size=(1, 2, 4, 4)))
    assert {node.op_type for node in result.model.graph.node} == operators


@pytest.mark.parametrize("slopes", [np.array([[[np.nan]], [[0.1]]]), np.array([[[np.inf]], [[0.1]]])])
def test_slopes_that_are_no_numbers_are_left(graph: Any, slopes: np.ndarray) -> None:
    result = stage(prelu(graph, slopes).model((1, 2, 4, 4)))
    assert not result.changed
    assert "not a finite number" in result.summary


def test_slopes_that_are_computed_are_left(graph: Any) -> None:
    made = graph()
    made.add("Abs", ["x"], "a")
    made.add("PRelu", ["x", "a"], "y")
    assert "not constant" in stage(made.model((1, 2, 4, 4))).summary


@pytest.mark.parametrize(
    ("slopes", "operators"),
    [
        ([0.25, 0.25], {"Conv", "LeakyRelu"}),
        ([-0.5, 1.0], {"Conv", "Mul", "Relu", "Add"}),
        ([0.5, 3.0], {"Conv", "Mul", "Relu", "Add"}),
    ],
)
def test_after_a_convolution_nothing_leaves_its_layout(
    graph: Any, applied: Any, slopes: list[float], operators: set[str]
) -> None:
    made = graph()
    made.add("Conv", ["x", made.weight("w", random.normal(size=(2, 3, 1, 1)))], "c")
    made.add("PRelu", ["c", made.weight("a", np.array(slopes).reshape(2, 1, 1))], "y")
    result = applied(stage, made.model((2, 3, 4, 5)), random.normal(size=(2, 3, 4, 5)))
    assert {node.op_type for node in result.model.graph.node} == operators
