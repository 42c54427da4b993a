"""The halo of graphs that are built here; tests/export/halo/test_halo.py has those of torch layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.halo.derivation import derive, derive_local, halo_of, probe, products_per_pixel
from upconv.export.halo.receptive_field import ReceptiveField
from upconv.runtime.contract import Halo, NoHalo

ONE = ReceptiveField(low=Fraction(-1), high=Fraction(1))


def graph_of(*nodes: onnx.NodeProto, **shapes: tuple[int, ...]) -> onnx.ModelProto:
    """Return a graph of an image with 3 channels and constants of these shapes, whose output is that of the last node."""
    random = np.random.default_rng(0)
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "test",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
            [numpy_helper.from_array(random.random(shape, np.float32), name) for name, shape in shapes.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )


def conv(given: str = "image", made: str = "features", weights: str = "w") -> onnx.NodeProto:
    return helper.make_node("Conv", [given, weights], [made], pads=[1, 1, 1, 1])


POOL = helper.make_node("GlobalAveragePool", ["features"], ["mean"])
PRODUCT = helper.make_node("Mul", ["features", "mean"], ["output"])
WEIGHTS = (3, 3, 3, 3)


@pytest.mark.parametrize("derived", [derive, derive_local])
def test_fields_follow_the_graph(derived: Callable[[onnx.ModelProto], object]) -> None:
    two = ReceptiveField(low=Fraction(-2), high=Fraction(2))
    shape = helper.make_node("Shape", ["features"], ["shape"])
    ones = helper.make_node("ConstantOfShape", ["shape"], ["ones"])
    made = graph_of(conv(), shape, ones, conv("features", "output"), w=WEIGHTS)
    assert derived(made) == (two, two)
    beside = graph_of(conv(), shape, ones, helper.make_node("Add", ["ones", "features"], ["output"]), w=WEIGHTS)
    assert derived(beside) == (ONE, ONE), "the shape of a picture has no position"


def test_constants_may_be_nodes() -> None:
    value = numpy_helper.from_array(np.array([0, 0, 1, 2, 0, 0, 0, 0], np.int64))
    pads = helper.make_node("Constant", [], ["pads"], value=value)
    assert derive(graph_of(pads, helper.make_node("Pad", ["image", "pads"], ["output"]))) == (
        ReceptiveField(low=Fraction(-1), high=Fraction(-1)),
        ReceptiveField(low=Fraction(-2), high=Fraction(-2)),
    )


def test_the_first_operator_without_a_bound_is_named() -> None:
    named = helper.make_node("InstanceNormalization", ["features", "s", "b"], ["output"], name="norm")
    whole = "InstanceNormalization can read the whole image"
    shapes = {"w": WEIGHTS, "s": (3,), "b": (3,)}
    for derived in (derive, derive_local):
        assert derived(graph_of(conv(), named, **shapes)) == NoHalo(node="norm", reason=whole)
    named.name = ""
    assert derive(graph_of(conv(), named, **shapes)) == NoHalo(node="InstanceNormalization making output", reason=whole)


def test_a_mean_of_the_whole_picture_has_no_bound_but_is_left_out_of_local_fields() -> None:
    made = graph_of(conv(), POOL, PRODUCT, w=WEIGHTS)
    assert derive(made) == NoHalo(node="GlobalAveragePool making mean", reason="GlobalAveragePool can read the whole image")
    assert derive_local(made) == (ONE, ONE)


def test_an_output_that_depends_on_no_position_is_named() -> None:
    assert derive_local(graph_of(conv(), POOL, w=WEIGHTS)) == NoHalo(
        node="mean", reason="it does not depend on the position of the input"
    )
    constant = helper.make_node("Identity", ["w"], ["output"])
    assert derive(graph_of(conv(), constant, w=WEIGHTS)) == NoHalo(node="output", reason="it does not depend on the input")


def test_a_convolution_uses_each_weight_once_per_output_pixel_and_a_transposed_one_once_per_input_pixel() -> None:
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["half"], strides=[2, 1], pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["half", "t"], ["large"], strides=[2, 4]),
        helper.make_node("Conv", ["large", "one"], ["output"]),
    ]
    made = graph_of(*nodes, w=WEIGHTS, t=(3, 5, 2, 4), one=(1, 5, 1, 1))
    assert products_per_pixel(made) == 81 / 2 + 120 / 2 + 4 * 5


def test_products_that_are_unknown_are_not_counted() -> None:
    unknown = helper.make_node("Conv", ["features", "computed"], ["output"], kernel_shape=[1, 1])
    aside = helper.make_node("Conv", ["one", "one"], ["aside"])
    made = graph_of(conv(), aside, unknown, w=WEIGHTS, one=(1, 1, 1, 1))
    assert products_per_pixel(made) == 81
    assert products_per_pixel(graph_of(conv(), POOL, PRODUCT, w=WEIGHTS)) == 0


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        (ReceptiveField(), 0, 0),
        (ONE, 1, 1),
        (ReceptiveField(Fraction(1), Fraction(-5, 2), Fraction(7, 2)), 2, 3),
        (ReceptiveField(Fraction(2), Fraction(-1), Fraction(1, 2)), 1, 1),
        (ReceptiveField(Fraction(2), Fraction(-1), Fraction(1, 4)), 1, 0),
        (ReceptiveField(Fraction(1, 2), Fraction(1), Fraction(3)), 0, 2),
        (ReceptiveField(Fraction(1, 2), Fraction(1), Fraction(0)), 0, 0),
    ],
)
def test_a_halo_is_rounded_down_and_never_negative(field: ReceptiveField, before: int, after: int) -> None:
    assert halo_of((field, ReceptiveField())) == Halo(top=before, bottom=after, left=0, right=0)
    assert halo_of((ReceptiveField(), field)) == Halo(top=0, bottom=0, left=before, right=after)


class Moved:
    """A backend whose output `w` is the sum of the inputs from `w / scale - before` to `w / scale + after`, along one axis."""

    name, version, level = "moved", "1", "-"

    def __init__(self, axis: int, before: int, after: int, scale: int = 1, gain: float = 1.0) -> None:
        self.axis, self.before, self.after, self.scale, self.gain = axis, before, after, scale, gain

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        moved = [np.roll(inputs[0], n, self.axis) for n in (self.before, 0, -self.after)]
        return [(self.gain * np.sum(moved, 0)).repeat(self.scale, self.axis)]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("before", "after", "lines"), [(3, 2, None), (4, 2, "outputs 8 to 14"), (3, 3, "outputs 7 to 13")])
def test_a_probe_agrees_with_a_field_that_is_large_enough(axis: int, before: int, after: int, lines: str | None) -> None:
    """Pixel 10 of 20 changes the outputs from 10 - after to 10 + before."""
    shape = (1, 2, 20, 8) if axis == 0 else (1, 2, 8, 20)
    field = ReceptiveField(low=Fraction(-3), high=Fraction(2))
    fields = (field, ReceptiveField()) if axis == 0 else (ReceptiveField(), field)
    found = probe(Moved(axis + 2, before, after), shape, fields)
    assert found == (
        None
        if lines is None
        else NoHalo(node="the whole graph", reason=f"pixel 10 changes {lines}, which is outside its receptive field")
    )


@pytest.mark.parametrize(("low", "enough"), [(Fraction(-1, 2), True), (Fraction(-1, 3), False)])
def test_a_probe_counts_in_input_pixels(low: Fraction, enough: bool) -> None:
    """At twice the resolution, the outputs 20 and 21 read pixel 10, which is half a pixel before the second one."""
    fields = (ReceptiveField(Fraction(2), low, Fraction(0)), ReceptiveField())
    assert (probe(Moved(2, 0, 0, 2), (1, 1, 20, 8), fields) is None) is enough


def test_a_probe_of_a_model_that_ignores_the_pixel_finds_nothing() -> None:
    assert probe(Moved(2, 9, 9, gain=0.0), (1, 1, 20, 8), (ReceptiveField(), ReceptiveField())) is None


def test_a_probe_of_a_graph_changes_one_pixel_of_every_channel() -> None:
    made = graph_of(conv(), w=WEIGHTS)
    backend = OnnxruntimeBackend(made)
    assert probe(backend, (1, 3, 16, 16), (ONE, ONE)) is None
    for fields in ((ONE, ReceptiveField()), (ReceptiveField(), ONE)):
        assert probe(backend, (1, 3, 16, 16), fields) is not None
