"""Tiles equal the whole along one axis, for any context, crop, halo, multiple, minimum and maximum."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from upconv.runtime.contract import SizeLaw
from upconv.runtime.options import BorderChoice
from upconv.runtime.rounding import ceil_div
from upconv.runtime.tiling_axis import FILLS, Fill, Surroundings, TileSpan, TilingAxis, block_of, filled, span_pixels

Line = NDArray[np.int64]
NUMPY_MODES: dict[Fill, Literal["reflect", "edge", "wrap", "constant"]] = {
    "reflect": "reflect",
    "edge": "edge",
    "wrap": "wrap",
    "zero": "constant",
}


def enlarged(line: Line, law: SizeLaw, reach: tuple[int, int]) -> Line:
    """Return the output of a model whose output `w` reads the inputs from `w / scale - reach[0]` to `w / scale + reach[1]`.

    Every weight depends on the distance, the phase of the output and the position modulo the multiple. Beyond its input the
    model sees zeros, which differ from any pixel.
    """
    scale = int(law.scale)
    result = np.zeros(scale * len(line) + law.offset, np.int64)
    for w in range(len(result)):
        middle = w // scale
        for at in range(middle - reach[0], middle + reach[1] + 1):
            if 0 <= at < len(line):
                result[w] += line[at] * (1 + (at - middle + 10) * 7 + (w % scale) * 31 + (at % law.multiple) * 101)
    return result


@st.composite
def cases(draw: st.DrawFn) -> tuple[SizeLaw, Surroundings, tuple[int, int], tuple[int, int]]:
    """Return a size law, the surroundings that balance it, the reach of its outputs, and the halo that a contract states."""
    scale, before, after = draw(st.integers(1, 3)), draw(st.integers(0, 5)), draw(st.integers(0, 5))
    crop_before, crop_after = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    offset = crop_before + crop_after - scale * (before + after)
    law = SizeLaw(scale=scale, offset=offset, multiple=draw(st.sampled_from([1, 2, 3])), minimum=draw(st.integers(1, 20)))
    reach = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    around = Surroundings(before, after, crop_before, crop_after, draw(st.sampled_from(["reflect", "edge"])))
    halo = (max(0, reach[0] + before - crop_before // scale), max(0, reach[1] - before + ceil_div(crop_before, scale)))
    return law, around, reach, halo


def pixels(axis: TilingAxis, span: TileSpan, line: Line) -> Line:
    window = axis.window(span)
    return window.arranged(np.concatenate([line[first:stop] for first, stop in window.runs]), 0)


def stitched(axis: TilingAxis, spans: list[TileSpan], line: Line, law: SizeLaw, reach: tuple[int, int]) -> Line:
    result = np.full(axis.scale * axis.length, -1, np.int64)
    for span in spans:
        output = enlarged(pixels(axis, span, line), law, reach)
        first, stop, place = axis.place(span)
        assert 0 <= first < stop <= len(output)
        assert (result[place : place + stop - first] == -1).all(), "no output is kept twice"
        result[place : place + stop - first] = output[first:stop]
    return result


def expanded(line: Line, law: SizeLaw, around: Surroundings, reach: tuple[int, int]) -> Line:
    """Return the result of a whole picture, extended by its context and up to a length of the law."""
    extended = law.fitted(len(line) + around.before + around.after) - len(line)
    output = enlarged(np.pad(line, (around.before, extended - around.before), mode=NUMPY_MODES[around.fill]), law, reach)
    return output[around.crop_before : around.crop_before + int(law.scale) * len(line)]


@given(
    case=cases(),
    length=st.integers(1, 40),
    tile_px=st.integers(1, 50),
    most_px=st.sampled_from([1, 15, 1000]),
    maximum=st.none() | st.integers(20, 60),
)
def test_tiles_and_halves_equal_the_whole(
    case: tuple[SizeLaw, Surroundings, tuple[int, int], tuple[int, int]],
    length: int,
    tile_px: int,
    most_px: int,
    maximum: int | None,
) -> None:
    law, around, reach, halo = case
    line = np.random.default_rng(length).integers(1, 256, length)
    assert around.balance(law)
    whole = TilingAxis.of(length, law, None, around)
    expected = expanded(line, law, around, reach)
    np.testing.assert_array_equal(stitched(whole, whole.spans(whole.side(1, 1)), line, law, reach), expected)
    axis = TilingAxis.of(length, law.model_copy(update={"maximum": maximum}), halo, around)
    assume(axis.possible)
    side = axis.side(tile_px, most_px)
    spans = axis.spans(side)
    assert len(spans) == axis.count(side)
    assert {span.length for span in spans} == {side}
    assert side <= axis.largest
    np.testing.assert_array_equal(stitched(axis, spans, line, law, reach), expected)
    halves = [half for span in spans for half in axis.halves(span) or (span,)]
    assert all(half.start % law.multiple == half.length % law.multiple == 0 for half in halves)
    assert all(law.minimum <= half.length <= side for half in halves)
    np.testing.assert_array_equal(stitched(axis, [half for half in halves if _kept(axis, half)], line, law, reach), expected)


@given(
    case=cases(),
    length=st.integers(1, 40),
    tile_px=st.integers(1, 50),
    border=st.sampled_from(["mirror", "repeat", "wrap", "zero"]),
)
def test_a_border_equals_a_picture_that_is_padded_by_hand(
    case: tuple[SizeLaw, Surroundings, tuple[int, int], tuple[int, int]], length: int, tile_px: int, border: BorderChoice
) -> None:
    law, around, reach, halo = case
    line = np.random.default_rng(length).integers(1, 256, length)
    margin = 12 * law.multiple
    padded: Line = np.pad(line, margin, mode=NUMPY_MODES[FILLS[border]])
    expected = expanded(padded, law, around, reach)[margin * int(law.scale) :][: length * int(law.scale)]
    wide = around.widened(law, halo, FILLS[border])
    assert wide.balance(law)
    axis = TilingAxis.of(length, law, halo, wide)
    for spans in (axis.spans(axis.side(tile_px, 1000)), axis.spans(axis.padded)):
        np.testing.assert_array_equal(stitched(axis, spans, line, law, reach), expected)


def _kept(axis: TilingAxis, span: TileSpan) -> bool:
    first, stop, _ = axis.place(span)
    return first < stop


@pytest.mark.parametrize(
    ("fill", "length", "expected"),
    [
        ("edge", 3, [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]),
        ("reflect", 3, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]),
        ("reflect", 2, [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]),
        ("reflect", 1, [0] * 13),
        ("edge", 1, [0] * 13),
        ("wrap", 3, [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]),
        ("zero", 3, [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]),
    ],
)
def test_positions_beyond_the_border_take_pixels_of_the_picture(fill: Fill, length: int, expected: list[int]) -> None:
    assert filled(np.arange(-5, 8), length, fill).tolist() == expected


@given(
    length=st.integers(1, 9),
    before=st.integers(0, 30),
    after=st.integers(0, 30),
    fill=st.sampled_from(["reflect", "edge", "wrap"]),
)
def test_the_fill_is_that_of_numpy(length: int, before: int, after: int, fill: Fill) -> None:
    line = np.arange(length)
    padded = np.pad(line, (before, after), mode=NUMPY_MODES[fill])
    np.testing.assert_array_equal(line[filled(np.arange(-before, length + after), length, fill)], padded)


def test_a_span_inside_the_picture_is_read_as_it_is() -> None:
    axis = TilingAxis.of(50, SizeLaw(scale=2, offset=-28), (7, 7), Surroundings(7, 7))
    window = axis.window(TileSpan(7, 57, 7, 43))
    assert (window.runs, window.order, window.outside) == (((0, 50),), None, None)
    assert axis.window(TileSpan(6, 56, 6, 42)).order is not None
    assert axis.window(TileSpan(8, 58, 8, 44)).order is not None


@pytest.mark.parametrize(("crop_after", "balanced"), [(1, True), (0, False), (2, False)])
def test_context_and_crop_balance_the_offset(crop_after: int, balanced: bool) -> None:
    assert Surroundings(1, 1, 0, crop_after).balance(SizeLaw(scale=2, offset=-3)) is balanced


@pytest.mark.parametrize(
    ("halo", "around", "offset", "counted"),
    [
        ((3, 5), Surroundings(), 0, (3, 5)),
        ((3, 5), Surroundings(before=2, after=2), -8, (1, 7)),  # the context before the picture is part of the halo before it
        ((3, 5), Surroundings(crop_before=4, crop_after=4), 8, (5, 3)),  # the outputs before the result need fewer pixels after
        ((0, 0), Surroundings(before=3, after=0), -6, (0, 3)),  # outputs that the model removes
        ((0, 0), Surroundings(crop_before=4), 4, (2, 0)),  # no halo is negative
    ],
)
def test_a_halo_counts_from_the_first_output(
    halo: tuple[int, int], around: Surroundings, offset: int, counted: tuple[int, int]
) -> None:
    law = SizeLaw(scale=2, offset=offset)
    assert around.balance(law)
    axis = TilingAxis.of(30, law, halo, around)
    assert axis.halo == counted
    assert (axis.padded, axis.padded_by) == (30 + around.before + around.after, around.before + around.after)


@pytest.mark.parametrize(("fill", "order"), [("edge", [0, 0, 0, 1, 2]), ("reflect", [2, 1, 0, 1, 2])])
def test_a_span_at_the_border_reads_the_pixels_that_it_holds_and_no_more(fill: Fill, order: list[int]) -> None:
    axis = TilingAxis.of(50, SizeLaw(scale=2, offset=-8), (2, 2), Surroundings(2, 2, fill=fill))
    window = axis.window(TileSpan(0, 5, 0, 1))
    assert window.runs == ((0, 3),)
    block = np.arange(6).reshape(2, 3)
    for axis_number in (0, 1):
        arranged = window.arranged(block if axis_number else block.T, axis_number)
        np.testing.assert_array_equal(arranged if axis_number else arranged.T, block[:, order])


def test_a_span_that_keeps_two_multiples_is_split_and_a_shorter_one_is_not() -> None:
    axis = TilingAxis.of(100, SizeLaw(scale=2, multiple=4), (4, 4))
    assert axis.halves(TileSpan(4, 20, 8, 16)) == (TileSpan(4, 16, 8, 12), TileSpan(8, 20, 12, 16))
    assert axis.halves(TileSpan(4, 19, 8, 15)) == ()
    assert axis.halves(TileSpan(0, 8, 0, 4)) == ()


def test_context_whose_outputs_are_cropped_needs_no_span_of_its_own() -> None:
    axis = TilingAxis.of(8, SizeLaw(scale=1), (0, 0), Surroundings(after=4, crop_after=4))
    assert axis.count(8) == len(axis.spans(8)) == 1
    assert axis.side(11, 100) == 8
    assert axis.side(12, 100) == 12, "the whole extended picture, because it fits"


def test_a_side_is_a_multiple_of_the_law_and_of_the_step() -> None:
    """Two spans of 54 would do; 72 is the next multiple of 3 and 8."""
    assert TilingAxis.of(102, SizeLaw(scale=1, multiple=3), (3, 3)).side(75, 1000) == 72


def test_a_span_across_the_border_reads_only_the_ends_that_it_holds() -> None:
    window = span_pixels(-2, 3, 50, "wrap")
    assert window.runs == ((0, 3), (48, 50))
    np.testing.assert_array_equal(window.arranged(np.array([0, 1, 2, 48, 49]), 0), [48, 49, 0, 1, 2])


def test_pixels_beyond_a_border_of_zeros_are_zero_along_each_axis() -> None:
    rows, columns = span_pixels(-1, 2, 2, "zero"), span_pixels(1, 4, 3, "zero")
    picture = np.arange(1, 13).reshape(2, 3, 2)
    block = block_of(rows, columns, lambda top, bottom, left, right: picture[top:bottom, left:right], 0)
    np.testing.assert_array_equal(block, np.pad(picture, ((1, 0), (0, 1), (0, 0)))[:, 1:])


def test_two_runs_along_both_axes_are_joined() -> None:
    picture = np.arange(200).reshape(1, 10, 20)
    rows, columns = span_pixels(-2, 4, 10, "wrap"), span_pixels(17, 23, 20, "wrap")
    read: list[tuple[int, ...]] = []

    def rectangle(*sides: int) -> Line:
        read.append(sides)
        top, bottom, left, right = sides
        return picture[:, top:bottom, left:right]

    expected = np.pad(picture, ((0, 0), (2, 2), (3, 3)), mode="wrap")[:, :6, 20:]
    np.testing.assert_array_equal(block_of(rows, columns, rectangle, 1), expected)
    assert sum((bottom - top) * (right - left) for top, bottom, left, right in read) == 36, "only what the tile needs is read"


@pytest.mark.parametrize(
    ("around", "halo", "pixels", "cropped"),
    [
        (Surroundings(), (3, 5), (3, 5), (6, 10)),
        (Surroundings(2, 4, 1, 3), (3, 5), (3, 5), (3, 5)),
        (Surroundings(2, 4, 1, 3), (2, 4), (2, 4), (1, 3)),
        (Surroundings(6, 7, 1, 3), (3, 5), (6, 7), (1, 3)),
    ],
)
def test_a_border_is_as_wide_as_the_halo_or_the_context(
    around: Surroundings, halo: tuple[int, int], pixels: tuple[int, int], cropped: tuple[int, int]
) -> None:
    wide = around.widened(SizeLaw(scale=2), halo, "wrap")
    assert ((wide.before, wide.after), (wide.crop_before, wide.crop_after), wide.fill) == (pixels, cropped, "wrap")


@pytest.mark.parametrize(
    ("length", "runs"), [(4, ((0, 4),)), (5, ((0, 3), (4, 5))), (6, ((0, 3), (5, 6)))], ids=["none", "one pixel", "two pixels"]
)
def test_pixels_between_the_ends_of_an_axis_are_not_read(length: int, runs: tuple[tuple[int, int], ...]) -> None:
    assert span_pixels(-1, 3, length, "wrap").runs == runs
