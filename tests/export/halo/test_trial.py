"""The trial of a halo: tiles against the whole picture, for graphs that are built here."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.halo.trial import (
    BUDGET,
    GRAIN,
    LONG_PX,
    STRIP_PX,
    covering,
    described,
    grainy,
    opened,
    shaded,
    tiling_difference,
    trials,
)
from upconv.runtime import Contract
from upconv.runtime.contract import KEY, Context, Halo, HaloDeviation, Pixels, Provenance, SizeLaw


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


def explosive(gain: float, usual: float = 0.72) -> onnx.ModelProto:
    """Return an upscaler that repeats pixels, and adds `gain` times a local contrast beyond one that only noise has."""
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
        numpy_helper.from_array(np.array(usual, np.float32), "usual"),
        numpy_helper.from_array(np.array(gain, np.float32), "gain"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("image", "output")]
    opset = [helper.make_opsetid("", 18)]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def explosive_contract(output: Pixels) -> Contract:
    halo = Halo(top=8, bottom=8, left=8, right=0)  # one too few
    return blur_contract(halo, output).model_copy(update={"input": Pixels()})


@pytest.mark.parametrize(
    ("gain", "output", "found"),
    [(10.0, Pixels(), True), (5000.0, Pixels(), False), (5000.0, Pixels(low=-490, high=510), True)],
)
def test_noise_does_not_decide_about_a_model_that_answers_it_with_extremes(gain: float, output: Pixels, found: bool) -> None:
    assert (tiling_difference(explosive(gain), explosive_contract(output), CHEAP) > 0.1) is found


def test_the_photograph_decides_then() -> None:
    assert tiling_difference(explosive(50.0, usual=0.0), explosive_contract(Pixels()), DEEP) > 0.1


def square(px: int) -> Halo:
    return Halo(top=px, bottom=px, left=px, right=px)


def tried(
    halo: Halo, laws: dict[str, SizeLaw], products: float = CHEAP, context: Context | None = None
) -> list[tuple[int, int, int]]:
    """Return the height, the width and the tile side of each trial, for laws of scale 1 if no others are given."""
    given = {"height": SizeLaw(scale=1), "width": SizeLaw(scale=1), **laws}
    return list(trials(products, blur_contract(halo, RANGE).model_copy(update={**given, "context": context})))


LONG = SizeLaw(scale=1, maximum=40)


@pytest.mark.parametrize(
    ("halo", "laws", "expected"),
    [
        (square(7), {}, [(41, LONG_PX, 18), (70, STRIP_PX, 1), (STRIP_PX, 70, 1)]),
        (square(300), {}, [(1213, 1813, 604), (3000, STRIP_PX, 1), (STRIP_PX, 3000, 1)]),
        (
            Halo(top=1, bottom=2, left=3, right=5),
            {"height": SizeLaw(scale=1, multiple=2, minimum=20), "width": SizeLaw(scale=1, multiple=3, minimum=6)},
            [(49, LONG_PX, 22), (36, 6, 1), (20, 45, 1)],
        ),
        (square(7), {"height": LONG}, [(24, LONG_PX, 18), (40, STRIP_PX, 1), (STRIP_PX, 70, 1)]),
        (square(7), {"width": LONG}, [(41, 24, 18), (70, STRIP_PX, 1), (STRIP_PX, 40, 1)]),
        (
            square(3),
            {"height": SizeLaw(scale=1, multiple=4, maximum=40), "width": LONG},
            [(24, 32, 22), (40, STRIP_PX, 1), (STRIP_PX, 30, 1)],
        ),
    ],
)
def test_the_pictures_that_are_tried_have_many_tiles_or_two_and_fit_the_maximum(
    halo: Halo, laws: dict[str, SizeLaw], expected: list[tuple[int, int, int]]
) -> None:
    assert (LONG_PX, STRIP_PX) == (1500, 4)
    assert tried(halo, laws) == expected


@pytest.mark.parametrize(
    ("maximum", "picture", "side"), [(None, (21, LONG_PX, 8), 16), (17, (11, 11, 8), 13), (4, (1, 1, 8), 1)]
)
def test_a_trial_and_its_context_are_within_the_maximum_and_a_pixel_remains(
    maximum: int | None, picture: tuple[int, int, int], side: int
) -> None:
    """The smallest tiles are 12 pixels long, and two of them 20; the context takes 4 of these."""
    law = SizeLaw(scale=1, offset=-4, maximum=maximum)
    context = Context(top=2, bottom=2, left=2, right=2)
    expected = [picture, (side, STRIP_PX, 1), (STRIP_PX, side, 1)]
    assert tried(square(2), {"height": law, "width": law}, context=context) == expected


@pytest.mark.parametrize(("products", "whole"), [(3_200_000.0, True), (3_200_001.0, False)])
def test_a_whole_picture_is_tried_within_the_budget(products: float, whole: bool) -> None:
    assert BUDGET == 25 * 1250 * 3_200_000
    found = tried(square(3), {"width": SizeLaw(scale=1, maximum=1258)}, products)
    assert ((25, 1250, 10) in found) is whole
    assert len(found) == 2 + whole


def test_a_small_picture_is_mirrored_until_it_covers_the_size_and_a_large_one_is_cut() -> None:
    picture = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    assert covering(picture, 1, 5).tolist() == [[[0, 1, 1, 0, 0]]]
    assert covering(picture, 5, 1).tolist() == [[[0], [2], [2], [0], [0]]]
    assert covering(picture, 2, 1).tolist() == [[[0], [2]]]


def test_an_opened_model_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with opened(blur_and_double(1), blur_contract(square(1), RANGE)) as model:
        assert model.contract.halo == square(1)
    assert not list(tmp_path.iterdir())


def test_the_exact_halo_is_tried_also_if_a_smaller_one_is_good_enough() -> None:
    stated = blur_contract(square(7), RANGE).model_copy(
        update={"halo_deviation": (HaloDeviation(halo_px=1, steps=0, share=0),)}
    )
    assert tiling_difference(blur_and_double(7), stated, CHEAP) <= 1e-6


def test_tiles_are_compared_with_a_picture_in_one_piece_also_if_its_context_is_long() -> None:
    """The trial asserts that it is one tile."""
    radius = 60
    model = blur_and_double(radius)
    model.graph.node[0].ClearField("attribute")
    law, context = (
        SizeLaw(scale=2, offset=-4 * radius, minimum=2 * radius + 1),
        dict.fromkeys(("top", "bottom", "left", "right"), radius),
    )
    laws = {"height": law, "width": law, "context": Context(**context)}
    assert tiling_difference(model, blur_contract(square(radius), RANGE).model_copy(update=laws), DEEP) <= 1e-6


@pytest.mark.parametrize("pixels", [Pixels(), Pixels(low=-1, high=3)])
def test_a_grainy_photograph_has_a_tenth_of_noise_in_any_range(pixels: Pixels) -> None:
    assert GRAIN == 0.1
    noise = np.random.default_rng(0).random((3, 200, 90), np.float32)
    clean = grainy(np.zeros_like(noise), pixels)
    assert 0 <= clean.min() < 0.1
    assert 0.8 < clean.max() <= 0.9
    np.testing.assert_array_equal(clean[:, 192:], clean[:, 191:183:-1])
    np.testing.assert_allclose(grainy(noise, pixels) - clean, 0.1 * noise, atol=1e-6)


def test_a_picture_is_shaded_from_a_sixteenth_to_its_own_brightness() -> None:
    planes = shaded(np.ones((1, 4, 7), np.float32), Pixels(low=-1, high=3))
    quarters = np.linspace(0.25, 1, 4)[:, None] * np.linspace(0.25, 1, 7)
    np.testing.assert_allclose(planes[0], -1 + 4 * quarters, rtol=1e-6)
    assert (planes[0, 0, 0], planes[0, 3, 6]) == (-0.75, 3)
