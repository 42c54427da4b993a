from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.halo.alignment import MARGIN_PX, TOLERANCE_PX, Alignment, find_alignment, surroundings_for
from upconv.export.halo.receptive_field import ReceptiveField
from upconv.runtime.contract import MAX_LENGTH, Context, Crop, Halo, SizeLaw
from upconv.runtime.tiling_axis import Surroundings


@pytest.mark.parametrize(
    ("scale", "offset", "shift", "expected"),
    [
        (2, -28, Fraction(7), (7, 7, 0, 0)),
        (2, -28, Fraction(5), (5, 9, 0, 0)),  # different on each side
        (1, -4, Fraction(2), (2, 2, 0, 0)),
        (2, 2, Fraction(-1, 2), (0, 0, 1, 1)),  # a transposed convolution without padding
        (2, -3, Fraction(3, 4), (1, 1, 1, 0)),  # half an output pixel: the earlier output
        (2, -1, Fraction(1, 4), (0, 1, 0, 1)),  # a transposed convolution without output padding
        (3, -4, Fraction(2, 3), (1, 1, 1, 1)),
    ],
)
def test_context_and_crop_make_the_result_a_multiple_of_the_picture(
    scale: int, offset: int, shift: Fraction, expected: tuple[int, int, int, int]
) -> None:
    law = SizeLaw(scale=scale, offset=offset)
    around = surroundings_for(law, shift)
    assert around == Surroundings(*expected)
    assert around.balance(law)


def test_what_is_empty_is_not_stated() -> None:
    plain = Alignment(Surroundings(), Surroundings())
    assert (plain.context, plain.crop) == (None, None)
    mixed = Alignment(Surroundings(1, 2, 0, 1), Surroundings())
    assert mixed.context == Context(top=1, bottom=2, left=0, right=0)
    assert mixed.crop == Crop(top=0, bottom=1, left=0, right=0)


def graph_of(*nodes: onnx.NodeProto, **constants: Array) -> onnx.ModelProto:
    """Return a graph of an image with 3 channels, whose output is that of the last node."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def weights(*shape: int) -> Array:
    return np.random.default_rng(0).random(shape, np.float32)


def whole(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


SHUFFLE = helper.make_node("DepthToSpace", ["features"], ["output"], blocksize=2, mode="CRD")


def aligned(model: onnx.ModelProto, rows: SizeLaw, columns: SizeLaw) -> Alignment | str:
    return find_alignment(model, OnnxruntimeBackend(model), 3, (rows, columns))


def test_padding_on_one_side_moves_the_context_to_the_other() -> None:
    pad = helper.make_node("Pad", ["image", "pads"], ["padded"])
    conv = helper.make_node("Conv", ["padded", "w"], ["features"])
    lopsided = graph_of(pad, conv, SHUFFLE, pads=whole(0, 0, 3, 2, 0, 0, 0, 0), w=weights(12, 3, 7, 7))
    found = aligned(lopsided, SizeLaw(scale=2, offset=-6, minimum=4), SizeLaw(scale=2, offset=-8, minimum=5))
    assert isinstance(found, Alignment)
    assert (found.context, found.crop) == (Context(top=0, bottom=3, left=1, right=3), None)


def test_a_transposed_convolution_without_padding_is_cropped() -> None:
    transposed = graph_of(helper.make_node("ConvTranspose", ["image", "w"], ["output"], strides=[2, 2]), w=weights(3, 1, 4, 4))
    law = SizeLaw(scale=2, offset=2)
    found = aligned(transposed, law, law)
    assert isinstance(found, Alignment)
    assert (found.context, found.crop) == (None, Crop(top=1, bottom=1, left=1, right=1))


def test_a_mean_over_the_whole_picture_does_not_move_the_picture() -> None:
    """Each pixel changes every output a little, on one side of it more than on the other."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["mean"]),
        helper.make_node("Add", ["features", "mean"], ["output"]),
    ]
    law = SizeLaw(scale=1, offset=-24, minimum=25)
    found = aligned(graph_of(*nodes, w=weights(1, 3, 25, 25)), law, law)
    assert isinstance(found, Alignment)
    assert found.context == Context(top=12, bottom=12, left=12, right=12)


def test_an_output_that_does_not_lie_on_the_picture_is_refused() -> None:
    """Its lines are moved around by 9."""
    nodes = [
        helper.make_node("Slice", ["image", "from", "to", "rows"], ["last"]),
        helper.make_node("Slice", ["image", "start", "from", "rows"], ["first"]),
        helper.make_node("Concat", ["last", "first"], ["rolled"], axis=2),
        helper.make_node("Conv", ["rolled", "w"], ["features"]),
    ]
    constants = {"from": whole(-9), "to": whole(10**6), "start": whole(0), "rows": whole(2)}
    law = SizeLaw(scale=2, offset=-8, minimum=5)
    found = aligned(graph_of(*nodes, SHUFFLE, w=weights(12, 3, 5, 5), **constants), law, law)
    assert isinstance(found, str)
    assert found.startswith(
        "the rows of the output should begin 2 pixels inside the input, but a changed pixel acts as if they "
    )


class Moved:
    """A backend that enlarges pictures and moves its output by lines and columns, and can blur it or cut it."""

    name, version, level = "moved", "1", "-"

    def __init__(
        self, moves: Sequence[int] = (0, 0), *, scale: int = 1, taps: Sequence[int] = (0,), cut: int = 0, gain: float = 1.0
    ) -> None:
        self.moves, self.scale, self.taps, self.cut, self.gain = tuple(moves), scale, taps, cut, gain
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self.shapes.append(inputs[0].shape)
        output = inputs[0][:, :1].repeat(self.scale, 2).repeat(self.scale, 3)
        output = np.roll(output, [self.scale * move for move in self.moves], (2, 3))
        output = np.sum([np.roll(output, tap, (2, 3)) for tap in self.taps], 0)
        return [self.gain * output[:, :, self.cut : output.shape[2] - self.cut]]


POINT = graph_of(helper.make_node("Conv", ["image", "w"], ["output"]), w=weights(1, 3, 1, 1))
"""A graph whose outputs read the pixel at their own place."""
EVERYWHERE = graph_of(helper.make_node("Softmax", ["image"], ["output"], axis=2))
"""A graph without a receptive field."""
SAME = SizeLaw(scale=1)


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ((1, -1), None),
        (
            (2, 0),
            "the rows of the output should begin 0 pixels inside the input, but a changed pixel acts as if they began at -2.0",
        ),
        (
            (0, -2),
            "the columns of the output should begin 0 pixels inside the input, but a changed pixel acts as if they began at 2.0",
        ),
    ],
)
def test_a_response_may_be_one_pixel_away(moves: tuple[int, int], said: str | None) -> None:
    assert TOLERANCE_PX == 1
    found = find_alignment(POINT, Moved(moves), 3, (SAME, SAME))
    assert found == (Alignment(Surroundings(), Surroundings()) if said is None else said)


@pytest.mark.parametrize(("tap", "found"), [(4, True), (1, False)])
def test_a_response_may_be_as_far_away_as_it_spreads(tap: int, found: bool) -> None:
    moved = Moved((3, 3), taps=(-tap, tap))
    assert isinstance(find_alignment(POINT, moved, 3, (SAME, SAME)), Alignment) is found


def test_a_response_is_in_input_pixels() -> None:
    law = SizeLaw(scale=4)
    repeated = graph_of(
        helper.make_node(
            *("Resize", ["image", "", "scales"], ["output"]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        scales=np.array([1, 1, 4, 4], np.float32),
    )
    assert isinstance(find_alignment(repeated, Moved((1, 1), scale=4), 3, (law, law)), Alignment)
    found = find_alignment(repeated, Moved((2, 2), scale=4), 3, (law, law))
    assert isinstance(found, str)
    assert found.endswith("began at -2.0")


def test_a_model_that_ignores_a_pixel_is_refused() -> None:
    found = find_alignment(POINT, Moved(gain=0), 3, (SAME, SAME))
    assert isinstance(found, str)
    assert found.endswith("acts as if they began at nan")


MOST, LESS = MAX_LENGTH, MAX_LENGTH - 10


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize(
    ("front", "back", "around"),
    [
        (-MOST, -LESS, Surroundings(before=MOST, after=LESS)),
        (-LESS, -MOST, Surroundings(before=LESS, after=MOST)),
        (MOST, 0, Surroundings(crop_before=MOST)),
        (0, MOST, Surroundings(crop_after=MOST)),
    ],
)
def test_context_and_crop_are_at_most_what_a_contract_can_state(
    front: int, back: int, around: Surroundings, beyond: int
) -> None:
    """Lines are added to the picture, or removed."""
    lines = [length + beyond * (1 if length > 0 else -1) if length else 0 for length in (front, back)]
    pad = helper.make_node("Pad", ["image", "pads"], ["output"])
    padded = graph_of(pad, pads=whole(0, 0, lines[0], 0, 0, 0, lines[1], 0))
    alignment = find_alignment(padded, OnnxruntimeBackend(padded), 3, (SizeLaw(scale=1, offset=sum(lines)), SAME))
    if beyond:
        assert alignment == f"a context or crop of more than {MAX_LENGTH} pixels is needed"
    else:
        assert alignment == Alignment(around, Surroundings())


def test_a_response_may_be_faint_and_of_both_signs() -> None:
    kernel = np.zeros((1, 3, 13, 1), np.float32)
    kernel[0, :, 0], kernel[0, :, 12] = 1e-3, -1e-3
    difference = graph_of(helper.make_node("Conv", ["image", "w"], ["output"], pads=[6, 0, 6, 0]), w=kernel)
    assert aligned(difference, SAME, SAME) == Alignment(Surroundings(), Surroundings())


def test_the_response_is_measured_on_a_picture_that_the_model_takes() -> None:
    assert MARGIN_PX == 48
    backend = Moved(cut=2)
    laws = SizeLaw(scale=1, offset=-4, multiple=8, minimum=16), SizeLaw(scale=1, multiple=10, minimum=15, maximum=40)
    found = find_alignment(EVERYWHERE, backend, 2, laws, "reflect")
    assert set(backend.shapes) == {(1, 2, 72, 40)}
    assert isinstance(found, Alignment)
    assert (found.rows.fill, found.columns.fill) == ("reflect", "reflect")
    assert found.context == Context(top=2, bottom=2, left=0, right=0, fill="reflect")


def test_a_field_at_another_resolution_says_nothing_about_the_position() -> None:
    """The model is taken as symmetric then."""
    law = SizeLaw(scale=2, offset=-4)
    found = find_alignment(POINT, Moved(scale=2, cut=2), 3, (law, SizeLaw(scale=2)))
    assert isinstance(found, Alignment)
    assert (found.rows, found.columns) == (Surroundings(1, 1), Surroundings())


@pytest.mark.parametrize(
    ("field", "around", "halo"),
    [
        (ReceptiveField(low=Fraction(0), high=Fraction(14)), Surroundings(7, 7), (7, 7)),
        (ReceptiveField(low=Fraction(-1), high=Fraction(2)), Surroundings(), (1, 2)),
        (ReceptiveField(Fraction(2), Fraction(-1), Fraction(1, 2)), Surroundings(), (1, 1)),
        (ReceptiveField(Fraction(2), Fraction(-3, 2), Fraction(0)), Surroundings(crop_before=2, crop_after=2), (0, 1)),
        (ReceptiveField(Fraction(2), Fraction(-3), Fraction(0)), Surroundings(crop_before=1, crop_after=1), (2, 1)),
        (ReceptiveField(low=Fraction(3), high=Fraction(3)), Surroundings(), (0, 3)),
        (ReceptiveField(low=Fraction(-9), high=Fraction(-3)), Surroundings(), (9, 0)),
    ],
)
def test_a_halo_counts_from_the_pixels_of_the_picture(
    field: ReceptiveField, around: Surroundings, halo: tuple[int, int]
) -> None:
    still = ReceptiveField(field.scale)
    assert Alignment(around, Surroundings()).halo((field, still)) == Halo(top=halo[0], bottom=halo[1], left=0, right=0)
    assert Alignment(Surroundings(), around).halo((still, field)) == Halo(top=0, bottom=0, left=halo[0], right=halo[1])


def test_context_and_crop_are_named_by_side() -> None:
    alignment = Alignment(Surroundings(1, 2, 3, 4), Surroundings(5, 6, 7, 8))
    assert alignment.context == Context(top=1, bottom=2, left=5, right=6)
    assert alignment.crop == Crop(top=3, bottom=4, left=7, right=8)


def test_the_fill_is_that_of_the_context() -> None:
    assert surroundings_for(SizeLaw(scale=2, offset=-28), Fraction(7)).fill == "edge"
    assert surroundings_for(SizeLaw(scale=2, offset=-28), Fraction(7), "reflect").fill == "reflect"
