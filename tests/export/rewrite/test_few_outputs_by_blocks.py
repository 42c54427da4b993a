from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.few_outputs_by_blocks import few_outputs_by_blocks as stage

random = np.random.default_rng(0)
DOUBLED = np.array([1, 1, 2, 4], np.float32)


def doubled(
    graph: Any, outputs: int, kernel: tuple[int, int], pads: list[int], after: str | None = None, **attributes: Any
) -> Any:
    """Return a graph of a Resize, an activation and a convolution."""
    made = graph()
    made.add("Resize", ["x", "", made.weight("s", DOUBLED)], "r", mode="nearest")
    made.add("Relu", ["r"], "p")
    weights = [made.weight("w", random.normal(size=(outputs, 2, *kernel))), made.weight("b", random.normal(size=outputs))]
    made.add("Conv", ["p", *weights], "c" if after else "y", pads=pads, **attributes)
    if after is not None:
        made.add(after, ["c"], "y")
    return made


@settings(max_examples=40, deadline=None)
@given(
    outputs=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    shift=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    after=st.sampled_from([None, "Relu", "LeakyRelu", "Tanh", "Sigmoid"]),
    size=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
)
def test_the_same_numbers_or_a_reason(
    graph: Any,
    applied: Any,
    outputs: int,
    kernel: tuple[int, int],
    shift: tuple[int, int],
    after: str | None,
    size: tuple[int, int, int],
) -> None:
    before = [min(s, k - 1) for s, k in zip(shift, kernel, strict=True)]
    pads = [*before, *(k - 1 - p for k, p in zip(kernel, before, strict=True))]
    shape = (size[0], 2, *size[1:])
    model = doubled(graph, outputs, kernel, pads, after).model(shape)
    result = applied(stage, model, random.normal(size=shape))
    assert result.changed != result.summary.startswith("declined")
    if outputs <= 4 and min(kernel) >= 3:
        assert result.changed


@pytest.mark.parametrize(
    ("between", "even"),
    [
        ([("Conv", {"pads": [1, 1, 1, 1]}, 3)], True),
        ([("Conv", {"pads": [0, 0, 0, 0]}, 3)], True),
        ([("Conv", {"pads": [1, 0, 0, 0]}, 3)], False),
        ([("Conv", {"pads": [1, 1, 1, 1], "strides": [2, 2]}, 3)], False),
        ([("ConvTranspose", {"strides": [2, 2]}, 2)], True),
        ([("ConvTranspose", {"strides": [2, 2]}, 3)], False),
        ([("ConvTranspose", {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, 3)], True),
        ([("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, 0)], False),
        ([("Tanh", {}, 0), ("LeakyRelu", {}, 0)], True),
    ],
)
def test_only_sizes_that_are_certainly_even(
    graph: Any, applied: Any, between: list[tuple[str, dict[str, Any], int]], even: bool
) -> None:
    made = doubled(graph, 3, (3, 3), [1, 1, 1, 1])
    last = made.nodes.pop()
    for n, (kind, attributes, kernel) in enumerate(between):
        weights = [made.weight(f"w{n}", random.normal(size=(2, 2, kernel, kernel)))] if kernel else []
        made.add(kind, [last.input[0], *weights], f"m{n}", **attributes)
        last.input[0] = f"m{n}"
    made.nodes.append(last)
    result = applied(stage, made.model((1, 2, 5, 3)), random.normal(size=(1, 2, 5, 3)))
    assert result.changed == even


def test_the_shape_of_another_image_is_as_even_as_that(graph: Any, applied: Any) -> None:
    made = doubled(graph, 3, (3, 3), [1, 1, 1, 1])
    last = made.nodes.pop()
    made.add("Shape", ["p"], "shape")
    made.add("Reshape", ["p", made.weight("flat", np.array([0, 2, -1]))], "f")
    made.add("Reshape", ["f", "shape"], "back")
    last.input[0] = "back"
    made.nodes.append(last)
    assert applied(stage, made.model((1, 2, 5, 3)), random.normal(size=(1, 2, 5, 3))).changed


@pytest.mark.parametrize(
    ("outputs", "pads", "attributes", "reason"),
    [
        (16, [1, 1, 1, 1], {}, "enough output channels"),
        (3, [0, 0, 0, 0], {}, "changes the size"),
        (3, [1, 1, 1, 1], {"strides": [2, 2]}, "strides"),
        (3, [2, 2, 2, 2], {"dilations": [2, 2]}, "dilation"),
    ],
)
def test_what_gains_nothing_is_left(graph: Any, outputs: int, pads: list[int], attributes: dict[str, Any], reason: str) -> None:
    result = stage(doubled(graph, outputs, (3, 3), pads, **attributes).model((1, 2, 5, 5)))
    assert not result.changed
    assert reason in result.summary


def test_an_image_that_may_be_odd_is_left(graph: Any) -> None:
    made = graph()
    made.add("Conv", ["x", made.weight("w", random.normal(size=(3, 2, 3, 3)))], "y", pads=[1, 1, 1, 1])
    assert "may be odd" in stage(made.model((1, 2, 5, 5))).summary


@pytest.mark.parametrize(
    ("outputs", "side", "changed"),
    [
        (4, 3, True),  # (3 + 1)**2 * 16 products for four pixels, instead of 4 * 3**2 * 16: 0.44
        (5, 3, False),  # two blocks for twenty outputs: 0.89
        (8, 5, True),  # 0.72
        (8, 4, False),  # 0.78
        (3, 2, True),  # 0.56
        (3, 1, False),  # 1
    ],
)
def test_a_quarter_of_the_products_has_to_be_saved(graph: Any, outputs: int, side: int, changed: bool) -> None:
    before = (side - 1) // 2
    pads = [before, before, side - 1 - before, side - 1 - before]
    assert stage(doubled(graph, outputs, (side, side), pads).model((1, 2, 6, 6))).changed is changed
