from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnxscript import ir

from upconv.export.rewrite.even import is_even


def proved(graph: Any) -> bool:
    model = ir.from_proto(graph.model((1, 2, 5, 7)))
    return is_even(model.graph.outputs[0])


def resized(graph: Any, scales: tuple[float, float] = (2, 4)) -> Any:
    """Return a graph with the resized input `r`."""
    made = graph()
    made.add("Resize", ["x", "", made.weight("s", np.array([1, 1, *scales], np.float32))], "r", mode="nearest")
    return made


@pytest.mark.parametrize(("scales", "even"), [((2, 4), True), ((2, 3), False), ((1, 2), False), ((2.5, 2), False)])
def test_a_resize_by_even_factors_is_even(graph: Any, scales: tuple[float, float], even: bool) -> None:
    made = resized(graph, scales)
    made.add("Relu", ["r"], "y")
    assert proved(made) == even


def test_the_input_may_have_any_size(graph: Any) -> None:
    made = graph()
    made.add("Relu", ["x"], "y")
    assert not proved(made)
    assert not is_even(ir.from_proto(made.model((1, 2, 5, 7))).graph.inputs[0])


@pytest.mark.parametrize(("other", "even"), [("r", True), ("x", False)])
def test_a_sum_is_even_if_both_images_are(graph: Any, other: str, even: bool) -> None:
    made = resized(graph)
    made.add("Add", ["r", other], "y")
    assert proved(made) == even


@pytest.mark.parametrize(
    ("kind", "kernel", "attributes", "even"),
    [
        ("Conv", 3, {"pads": [1, 1, 1, 1]}, True),
        ("Conv", 3, {"pads": [0, 0, 0, 0]}, True),
        ("Conv", 2, {}, False),
        ("Conv", 2, {"dilations": [2, 2]}, True),
        ("Conv", 3, {"strides": [2, 2], "pads": [1, 1, 1, 1]}, False),
        ("Conv", 3, {"auto_pad": "SAME_UPPER"}, False),
        ("ConvTranspose", 4, {"strides": [2, 2], "pads": [1, 1, 1, 1]}, True),
        ("ConvTranspose", 3, {"strides": [2, 2], "pads": [1, 1, 1, 1]}, False),
        ("ConvTranspose", 3, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, True),
        ("ConvTranspose", 3, {"strides": [3, 3]}, False),
        ("ConvTranspose", 4, {"strides": [2, 2], "output_shape": [9, 9]}, False),
    ],
)
def test_a_convolution_is_even_by_its_size_formula(
    graph: Any, kind: str, kernel: int, attributes: dict[str, Any], even: bool
) -> None:
    made = resized(graph)
    made.add(kind, ["r", made.weight("w", np.ones((2, 2, kernel, kernel)))], "y", **attributes)
    assert proved(made) == even


@pytest.mark.parametrize(("blocksize", "even"), [(2, True), (3, False)])
def test_depth_to_space_is_even_by_its_block(graph: Any, blocksize: int, even: bool) -> None:
    made = graph()
    made.add("DepthToSpace", ["x"], "y", blocksize=blocksize)
    assert proved(made) == even


@pytest.mark.parametrize(("like", "attributes", "even"), [("r", {}, True), ("x", {}, False), ("r", {"start": 1}, False)])
def test_a_reshape_takes_the_shape_of_another_image(graph: Any, like: str, attributes: dict[str, int], even: bool) -> None:
    made = resized(graph)
    made.add("Shape", [like], "shape", **attributes)
    made.add("Reshape", ["r", "shape"], "y")
    assert proved(made) == even
