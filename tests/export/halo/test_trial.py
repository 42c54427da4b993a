"""The trial of a halo: tiles against the whole picture, for graphs that are built here."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.halo.trial import described, tiling_difference
from upconv.runtime import Contract
from upconv.runtime.contract import KEY, Halo, Pixels, Provenance, SizeLaw


def blur_and_double(radius: int) -> onnx.ModelProto:
    """Return a graph whose output depends on `radius` pixels on each side."""
    weights = np.random.default_rng(0).random((1, 1, 2 * radius + 1, 2 * radius + 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["blurred"], pads=[radius] * 4),
        helper.make_node(
            "Resize",
            ["blurred", "", "scales"],
            ["y"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, f"h{name}", f"w{name}"]) for name in ("x", "y")]
    constants = {"w": weights / weights.sum(), "scales": np.array([1, 1, 2, 2], np.float32)}
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def blur_contract(halo: Halo, output: Pixels) -> Contract:
    law, pixels = SizeLaw(scale=2), Pixels(color="y")
    return Contract(
        name="t",
        task="upscale",
        height=law,
        width=law,
        halo=halo,
        input=pixels,
        output=output,
        opset=18,
        provenance=Provenance(source="t"),
    )


RANGE = Pixels(color="y")


def difference(radius: int, products: float, sides: dict[str, int], output: Pixels = RANGE) -> float:
    """Return the difference that a halo makes, which is exact except on the sides given."""
    halo = Halo.model_validate(dict.fromkeys(("top", "bottom", "left", "right"), radius) | sides)
    return tiling_difference(blur_and_double(radius), blur_contract(halo, output), products)


CHEAP, DEEP = 1.0, 1e12
"""Multiplications per pixel of models that are tried on a whole picture, and on strips."""


@pytest.mark.parametrize("radius", [2, 7])
@pytest.mark.parametrize("products", [CHEAP, DEEP])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_halo_that_lacks_one_pixel_on_one_side_is_noticed(side: str, products: float, radius: int) -> None:
    assert difference(radius, products, {side: radius - 1}) > 1e-3


@pytest.mark.parametrize("radius", [0, 2, 7])
@pytest.mark.parametrize("products", [CHEAP, DEEP])
def test_the_exact_halo_makes_no_difference(products: float, radius: int) -> None:
    assert difference(radius, products, {}) <= 1e-6


def test_the_difference_is_per_unit_of_the_range() -> None:
    alone = difference(2, DEEP, {"left": 1})
    assert difference(2, DEEP, {"left": 1}, Pixels(color="y", low=-3, high=7)) == pytest.approx(alone / 10, rel=1e-6)


def test_a_described_model_carries_its_contract() -> None:
    model, stated = blur_and_double(1), blur_contract(Halo(top=1, bottom=1, left=1, right=1), Pixels(color="y"))
    metadata = {entry.key: entry.value for entry in described(model, stated).metadata_props}
    assert Contract.from_metadata(metadata, "t") == stated
    assert metadata.keys() == {KEY}
    assert not model.metadata_props


def explosive(gain: float) -> onnx.ModelProto:
    """Return an upscaler that repeats pixels, and adds `gain` times a local contrast that only noise has."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["contrast"], pads=[1, 1, 1, 1], group=3),
        helper.make_node("Abs", ["contrast"], ["size"]),
        helper.make_node("Sub", ["size", "usual"], ["unusual"]),
        helper.make_node("Relu", ["unusual"], ["more"]),
        helper.make_node("Mul", ["more", "gain"], ["much"]),
        helper.make_node("Add", ["image", "much"], ["sum"]),
        helper.make_node("Resize", ["sum", "", "scales"], ["output"], mode="nearest", nearest_mode="floor"),
    ]
    kernel = np.zeros((3, 1, 3, 3), np.float32)
    kernel[:, 0, 1, 1], kernel[:, 0, 1, 2] = 1, -1
    constants = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.array(0.72, np.float32), "usual"),
        numpy_helper.from_array(np.array(gain, np.float32), "gain"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("image", "output")]
    opset = [helper.make_opsetid("", 18)]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


@pytest.mark.parametrize(("gain", "found"), [(10.0, True), (5000.0, False)])
def test_noise_does_not_decide_about_a_model_that_answers_it_with_extremes(gain: float, found: bool) -> None:
    law = SizeLaw(scale=2)
    contract = Contract(
        name="explosive",
        task="upscale",
        height=law,
        width=law,
        halo=Halo(top=8, bottom=8, left=8, right=0),  # one too few, which only noise shows
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="a test"),
    )
    assert (tiling_difference(explosive(gain), contract, 1.0) > 0.1) is found
