from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.runtime.contract import Context, Contract, Crop, Halo, HaloDeviation, NoHalo, Provenance, SizeLaw, Statistic
from upconv.runtime.errors import ImageTooLargeError, ModelError
from upconv.runtime.tiling import MAX_STEPS, MAX_WASTE, TilingPlan, in_one_piece, plan_tiles, surroundings


def contract(halo: Halo | NoHalo, scale: float = 2, multiple: int = 1, minimum: int = 1, offset: int = 0) -> Contract:
    law = SizeLaw(scale=scale, multiple=multiple, minimum=minimum, offset=offset)
    return Contract(name="t", task="upscale", height=law, width=law, halo=halo, opset=18, provenance=Provenance(source="t"))


sizes = st.integers(1, 90)
halos = st.builds(Halo, top=st.integers(0, 7), bottom=st.integers(0, 7), left=st.integers(0, 7), right=st.integers(0, 7))


@given(
    height=sizes,
    width=sizes,
    halo=halos,
    multiple=st.sampled_from([1, 2, 4]),
    minimum=st.integers(1, 9),
    tile=st.integers(1, 40),
    equal=st.booleans(),
)
def test_every_pixel_is_kept_once_from_a_tile_that_holds_its_halo(
    height: int, width: int, halo: Halo, multiple: int, minimum: int, tile: int, equal: bool
) -> None:
    tiles = plan_tiles(height, width, contract(halo, multiple=multiple, minimum=minimum), tile, equal=equal)
    seen = np.zeros((tiles.rows.padded, tiles.columns.padded), np.int64)
    for part in tiles.tiles:
        seen[part.rows.keep_start : part.rows.keep_stop, part.columns.keep_start : part.columns.keep_stop] += 1
        for span, length, before, after in (
            (part.rows, tiles.rows.padded, halo.top, halo.bottom),
            (part.columns, tiles.columns.padded, halo.left, halo.right),
        ):
            assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= length
            assert span.start % multiple == 0
            assert span.keep_start - span.start >= before or span.start == 0
            assert span.stop - span.keep_stop >= after or span.stop == length
    assert (seen == 1).all()
    assert len({(t.rows.stop - t.rows.start, t.columns.stop - t.columns.start) for t in tiles.tiles}) == 1


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(64, 64, (64, 64)), (65, 900, (64, 64)), (333, 64, (64, 64)), (63, 65, (63, 64)), (9, 7, (9, 7))],
)
def test_equal_tiles_have_one_shape_for_all_pictures_that_are_as_large(height: int, width: int, shape: tuple[int, int]) -> None:
    plan = plan_tiles(height, width, contract(Halo(top=7, bottom=7, left=7, right=7)), 64, equal=True)
    assert {tile.shape for tile in plan.tiles} == {shape}


@given(height=sizes, width=sizes, halo=halos, tile=st.integers(1, 40), multiple=st.sampled_from([1, 3, 4]), minimum=sizes)
def test_halves_of_halves_keep_what_the_tile_keeps(
    height: int, width: int, halo: Halo, tile: int, multiple: int, minimum: int
) -> None:
    whole = plan_tiles(height, width, contract(halo, multiple=multiple, minimum=minimum), tile)
    seen = np.zeros((whole.rows.padded, whole.columns.padded), np.int64)
    for part in whole.tiles:
        for quarter in (quarter for half in whole.halves(part) or (part,) for quarter in whole.halves(half) or (half,)):
            seen[quarter.rows.keep_start : quarter.rows.keep_stop, quarter.columns.keep_start : quarter.columns.keep_stop] += 1
            assert quarter.area <= part.area
            for axis, span, (before, after) in (
                (whole.rows, quarter.rows, (halo.top, halo.bottom)),
                (whole.columns, quarter.columns, (halo.left, halo.right)),
            ):
                assert span.start % multiple == span.length % multiple == 0
                assert 0 <= span.start <= max(span.keep_start - before, 0)
                assert min(span.keep_stop + after, axis.padded) <= span.stop <= axis.padded
                assert span.length >= minimum
    assert (seen == 1).all()


def test_a_model_without_a_finite_halo_gets_the_whole_picture() -> None:
    tiles = plan_tiles(500, 400, contract(NoHalo(node="pool", reason="it looks at everything")), 64)
    assert len(tiles.tiles) == 1
    assert tiles.waste == 1


@pytest.mark.parametrize("reach", [60, 120, 126, 350])
def test_a_wide_halo_is_not_computed_over_and_over(reach: int) -> None:
    halo = Halo(top=reach, bottom=reach, left=reach, right=reach)
    assert plan_tiles(1500, 1500, contract(halo), 256).waste < 9


def test_tiles_are_never_smaller_than_the_minimum() -> None:
    tiles = plan_tiles(40, 200, contract(Halo(top=1, bottom=1, left=1, right=1), minimum=64), 16)
    assert all(t.columns.stop - t.columns.start >= 64 and t.rows.stop - t.rows.start == 64 for t in tiles.tiles)


def test_little_is_computed_twice() -> None:
    halo = Halo(top=7, bottom=7, left=7, right=7)
    for side in (390, 512, 1000, 1024, 2048):
        assert plan_tiles(side, side, contract(halo), 384).waste < 1.17


def test_an_offset_without_context_and_crop_is_refused() -> None:
    with pytest.raises(ModelError, match="offsets of 1 and 1 pixels"):
        plan_tiles(8, 8, contract(Halo(top=0, bottom=0, left=0, right=0), offset=1), 64)


TABLE = (HaloDeviation(halo_px=16, steps=3, share=0.1), HaloDeviation(halo_px=48, steps=0.4, share=0.01))


@pytest.mark.parametrize(
    ("reach", "side", "exact", "overlap"),
    [
        (350, 3000, False, 48),  # the smallest halo that is good enough
        (350, 3000, True, 350),
        (350, 500, False, None),  # a picture in one tile computes no halo
        (7, 3000, False, None),  # a small halo computes little more
    ],
)
def test_a_wide_halo_gives_way_to_one_that_is_good_enough(reach: int, side: int, exact: bool, overlap: int | None) -> None:
    wide = contract(Halo(top=reach, bottom=reach, left=reach, right=reach)).model_copy(update={"halo_deviation": TABLE})
    tiles = plan_tiles(side, side, wide, 512, exact=exact)
    assert tiles.deviation == (TABLE[1] if overlap == 48 else None)
    if overlap is not None:
        assert min(t.rows.keep_start - t.rows.start for t in tiles.tiles if t.rows.start) >= overlap


def test_a_halo_is_not_replaced_by_one_that_is_not_good_enough() -> None:
    wide = contract(Halo(top=350, bottom=350, left=350, right=350)).model_copy(update={"halo_deviation": TABLE[:1]})
    assert plan_tiles(3000, 3000, wide, 512).deviation is None


@pytest.mark.parametrize(("steps", "taken"), [(0.5, True), (0.51, False)])
def test_a_smaller_halo_may_differ_by_half_a_step(steps: float, taken: bool) -> None:
    table = (HaloDeviation(halo_px=16, steps=steps, share=0.1),)
    wide = contract(Halo(top=350, bottom=350, left=350, right=350)).model_copy(update={"halo_deviation": table})
    assert MAX_STEPS == 0.5
    assert (plan_tiles(3000, 3000, wide, 512).deviation is not None) == taken


def test_an_exact_halo_may_cost_half_as_much_again_as_what_is_kept() -> None:
    table = (HaloDeviation(halo_px=1, steps=0, share=0),)
    assert MAX_WASTE == 1.5
    seen = set()
    for halo_px in range(10, 60):
        law = contract(Halo(top=halo_px, bottom=halo_px, left=halo_px, right=halo_px))
        exact = plan_tiles(2000, 2000, law, 256, exact=True)
        chosen = plan_tiles(2000, 2000, law.model_copy(update={"halo_deviation": table}), 256)
        smaller = chosen.deviation is not None
        assert smaller == (exact.waste > MAX_WASTE)
        seen.add(smaller)
    assert seen == {True, False}, "halos on both sides of the limit were tried"


def square(px: int) -> Halo:
    return Halo(top=px, bottom=px, left=px, right=px)


def test_an_exact_halo_that_costs_exactly_half_as_much_again_is_kept() -> None:
    law = contract(square(8)).model_copy(update={"halo_deviation": (HaloDeviation(halo_px=2, steps=0, share=0),)})
    tiles = plan_tiles(64, 64, law, 48)
    assert (tiles.waste, tiles.deviation) == (1.5, None)


@pytest.mark.parametrize(("most_px", "replaced"), [(64, False), (63, True)])
def test_an_exact_halo_gives_way_where_its_tile_is_too_large(most_px: int, replaced: bool) -> None:
    law = contract(square(21)).model_copy(update={"halo_deviation": (HaloDeviation(halo_px=2, steps=0, share=0),)})
    assert (plan_tiles(64, 64, law, 16, most_px=most_px).deviation is not None) is replaced


@pytest.mark.parametrize(("height", "shape"), [(64, (64, 64)), (32, (32, 128)), (16, (16, 128)), (8, (8, 128))])
def test_a_tile_is_at_most_twice_as_long_as_a_square_one(height: int, shape: tuple[int, int]) -> None:
    assert plan_tiles(height, 100_000, contract(square(2)), 64).tiles[0].shape == shape


def test_the_tiles_of_the_documented_figure() -> None:
    """The table "Tiles against one whole run" of docs/engine.md."""
    tiles = plan_tiles(2048, 2048, contract(square(7)), 384)
    assert (len(tiles.tiles), tiles.tiles[0].shape, round(tiles.waste, 3)) == (35, (305, 424), 1.079)


def test_a_tile_may_be_exactly_twice_as_tall_as_a_square_one() -> None:
    assert plan_tiles(44, 10, contract(square(0)), 22).tiles[0].shape == (44, 10)
    assert plan_tiles(33, 7, contract(square(0)), 16).tiles[0].shape == (17, 7), "33 is more than twice 16"


def test_pictures_of_similar_size_share_a_tile_shape() -> None:
    """Tiles of equal shape from different pictures may form a batch."""
    assert len({plan_tiles(side, 1200, contract(square(7)), 128).tiles[0].shape for side in range(1000, 1064)}) <= 3


@pytest.mark.parametrize(("side", "count"), [(512, 1), (513, 2)])
def test_a_picture_of_one_tile_is_not_cut(side: int, count: int) -> None:
    assert len(plan_tiles(side, 512, contract(square(0)), 512).tiles) == count


def limited(halo: Halo | NoHalo, maximum: int, multiple: int = 1) -> Contract:
    law = SizeLaw(scale=2, multiple=multiple, maximum=maximum)
    return contract(halo).model_copy(update={"height": law, "width": law})


@given(
    height=sizes,
    width=sizes,
    halo=halos,
    tile=st.integers(1, 90),
    multiple=st.sampled_from([1, 4]),
    maximum=st.integers(20, 60),
)
def test_no_tile_is_longer_than_the_maximum(
    height: int, width: int, halo: Halo, tile: int, multiple: int, maximum: int
) -> None:
    plan = plan_tiles(height, width, limited(halo, maximum, multiple), tile)
    assert all(max(part.shape) <= maximum for part in plan.tiles)


@pytest.mark.parametrize(("side", "fits"), [(40, True), (41, False)])
def test_a_picture_that_is_computed_as_a_whole_is_at_most_the_maximum(side: int, fits: bool) -> None:
    law = limited(NoHalo(node="pool", reason="it reads everything"), 40)
    if fits:
        assert plan_tiles(40, side, law, 16).tiles[0].shape == (40, side)
    else:
        with pytest.raises(ImageTooLargeError, match="proved sizes up to 40 pixels per side; this picture needs 41"):
            plan_tiles(40, side, law, 16)


@pytest.mark.parametrize(("maximum", "fits"), [(15, True), (14, False)])
def test_a_tile_keeps_at_least_one_pixel_within_the_maximum(maximum: int, fits: bool) -> None:
    law = limited(square(7), maximum)
    assert plan_tiles(14, 14, law, 64).tiles[0].shape == (14, 14)  # one tile needs no halo
    if fits:
        assert max(plan_tiles(30, 30, law, 64).tiles[0].shape) <= 15
    else:
        with pytest.raises(
            ModelError, match="needs tiles of at least 15 pixels per side, and its export proved sizes up to 14"
        ):
            plan_tiles(30, 30, law, 64)
        with pytest.raises(ModelError, match="at least 15 pixels"):
            plan_tiles(14, 30, law, 64)  # one axis is enough


def test_a_halo_beyond_the_maximum_gives_way_to_one_that_is_good_enough() -> None:
    law = limited(square(350), 256).model_copy(update={"halo_deviation": TABLE})
    assert plan_tiles(1000, 1000, law, 128).deviation == TABLE[1]
    with pytest.raises(ModelError, match="at least 701 pixels"):
        plan_tiles(1000, 1000, law, 128, exact=True)


def test_tiles_with_a_context_hold_their_halo_and_cover_the_picture() -> None:
    law = SizeLaw(scale=2, offset=-28, minimum=15)
    around = dict.fromkeys(("top", "bottom", "left", "right"), 7)
    valid = contract(square(7)).model_copy(update={"height": law, "width": law, "context": Context(**around)})
    assert len(plan_tiles(100, 100, valid, 114).tiles) == 1
    plan = plan_tiles(100, 100, valid, 64)
    assert (plan.rows.padded, plan.rows.halo) == (114, (0, 14))
    assert sum(part.rows.keep_stop - part.rows.keep_start for part in plan.tiles[:: len(plan.columns.spans(64))]) == 100


def test_a_crop_is_cut_from_the_outer_tiles_only() -> None:
    law = SizeLaw(scale=2, offset=2)
    around = dict.fromkeys(("top", "bottom", "left", "right"), 1)
    transposed = contract(square(1)).model_copy(update={"height": law, "width": law, "crop": Crop(**around)})
    plan = plan_tiles(40, 40, transposed, 16)
    kept = [plan.kept(tile, np.zeros((1, *(2 * side + 2 for side in tile.shape)), np.float32)) for tile in plan.tiles]
    assert kept[0][1] == (0, 0)
    assert sum(part.size for part, _ in kept) == 80 * 80


def test_a_smaller_halo_is_taken_if_the_exact_one_does_not_fit_even_if_it_computes_more() -> None:
    law = contract(square(10)).model_copy(update={"halo_deviation": (HaloDeviation(halo_px=4, steps=0, share=0),)})
    exact = plan_tiles(64, 64, law, 1, most_px=10, exact=True)
    taken = plan_tiles(64, 64, law, 1, most_px=10)
    assert exact.tiles[0].area > 10**2
    assert taken.deviation is not None
    assert taken.computed_px > exact.computed_px


def test_an_exact_halo_that_fits_stays_if_a_smaller_one_computes_more() -> None:
    law = contract(square(8)).model_copy(update={"halo_deviation": (HaloDeviation(halo_px=5, steps=0, share=0),)})
    smaller = plan_tiles(200, 200, contract(square(5)), 16)
    taken = plan_tiles(200, 200, law, 16)
    assert MAX_WASTE < taken.waste < smaller.waste
    assert taken.deviation is None


def test_the_error_names_the_shortest_tiles_of_the_smallest_halo_that_is_good_enough() -> None:
    law = limited(square(350), 96).model_copy(update={"halo_deviation": TABLE})
    with pytest.raises(ModelError, match="at least 97 pixels per side, and its export proved sizes up to 96"):
        plan_tiles(1000, 1000, law, 128)


def one_tile(height: int, width: int, halo: Halo, law: SizeLaw | None = None) -> TilingPlan:
    made = contract(halo).model_copy(update={"height": law or SizeLaw(scale=2), "width": law or SizeLaw(scale=2)})
    plan = plan_tiles(height, width, made, 4096)
    assert len(plan.tiles) == 1
    return plan


@pytest.mark.parametrize(("height", "width", "shape"), [(64, 128, (64, 66)), (128, 64, (66, 64)), (100, 100, (52, 100))])
def test_a_tile_is_split_along_its_longer_side(height: int, width: int, shape: tuple[int, int]) -> None:
    plan = one_tile(height, width, square(2))
    assert [half.shape for half in plan.halves(plan.tiles[0])] == [shape, shape]


@pytest.mark.parametrize(("halo_px", "splits"), [(39, True), (40, False)])
def test_a_split_that_saves_less_than_a_tenth_is_not_made(halo_px: int, splits: bool) -> None:
    """Of 100 pixels, each half keeps 50 and adds the halo on one side: 89 or 90 of 100."""
    plan = one_tile(100, 100, square(halo_px))
    assert (plan.halves(plan.tiles[0]) != ()) is splits


def test_a_model_without_a_finite_halo_is_not_split() -> None:
    plan = plan_tiles(64, 64, contract(NoHalo(node="pool", reason="it looks at everything")), 64)
    assert plan.halves(plan.tiles[0]) == ()


def averaged(levels: int, side: int = 40) -> Contract:
    """Return a contract of a model with this number of levels of means over the picture."""
    means = tuple(Statistic(features=f"f{n}", mean=f"m{n}", channels=4, level=n) for n in range(levels))
    return contract(square(2)).model_copy(update={"statistics": means})


@pytest.mark.parametrize(("levels", "passes"), [(0, 1), (1, 2), (3, 4)])
def test_tiles_are_computed_once_per_level_and_once_more(levels: int, passes: int) -> None:
    plan = plan_tiles(40, 20, averaged(levels), 24)
    assert (len(plan.tiles), plan.passes) == (2, passes)
    assert plan.computed_px == passes * sum(tile.area for tile in plan.tiles)
    assert plan_tiles(20, 20, averaged(levels), 24).passes == 1, "one tile computes its own means"


def test_several_passes_become_one_tile_if_it_is_less_work_and_small_enough() -> None:
    tiled = plan_tiles(40, 40, averaged(1), 24)
    assert tiled.computed_px > 1600
    assert len(in_one_piece(tiled, averaged(1), 1600).tiles) == 1
    assert in_one_piece(tiled, averaged(1), 1599) is tiled, "one pixel too many"
    once = plan_tiles(40, 40, averaged(0), 24)
    assert in_one_piece(once, averaged(0), 10**9) is once, "one pass is never more work"


def test_several_passes_over_tiles_stay_if_one_tile_is_beyond_the_maximum() -> None:
    law = SizeLaw(scale=2, maximum=39)
    short = averaged(1).model_copy(update={"height": law, "width": law})
    tiled = plan_tiles(40, 40, short, 24)
    assert tiled.computed_px > 1600
    assert in_one_piece(tiled, short, 10**9) is tiled


def test_several_passes_over_tiles_stay_if_one_tile_is_as_much_work() -> None:
    plan = TilingPlan(
        *((axis := plan_tiles(40, 40, averaged(1), 40).rows), axis), 2, plan_tiles(20, 40, averaged(1), 40).tiles, None, 2
    )
    assert plan.computed_px == 1600
    assert in_one_piece(plan, averaged(1), 10**9) is plan


def test_the_means_of_a_model_need_tiles_that_cover_the_context() -> None:
    law, around = SizeLaw(scale=2, offset=-8), dict.fromkeys(("top", "bottom", "left", "right"), 2)
    valid = averaged(1).model_copy(update={"height": law, "width": law, "context": Context(**around)})
    plan = plan_tiles(40, 40, valid, 24)
    for axis, spans in ((plan.rows, [t.rows for t in plan.tiles]), (plan.columns, [t.columns for t in plan.tiles])):
        assert axis.complete
        assert (min(span.keep_start for span in spans), max(span.keep_stop for span in spans)) == (0, axis.padded - 4)


@pytest.mark.parametrize("side", ["height", "width"])
def test_each_axis_must_balance_its_offset(side: str) -> None:
    unbalanced = contract(square(0)).model_copy(update={side: SizeLaw(scale=2, offset=-2)})
    with pytest.raises(ModelError, match="do not balance them, so the result is not 2 times"):
        plan_tiles(8, 8, unbalanced, 64)


def test_each_axis_has_its_own_law() -> None:
    laws = {"height": SizeLaw(scale=2, offset=-2), "width": SizeLaw(scale=2, offset=-4, minimum=30)}
    own = contract(square(0)).model_copy(update=laws)
    with pytest.raises(ModelError, match="offsets of -2 and -4 pixels"):
        plan_tiles(8, 8, own, 64)
    balanced = own.model_copy(update={"context": Context(top=1, bottom=0, left=2, right=0)})
    assert plan_tiles(8, 8, balanced, 64).tiles[0].shape == (9, 30)


@pytest.mark.parametrize("fill", ["reflect", "edge"])
def test_both_axes_take_the_fill_of_the_context(fill: Any) -> None:
    law, around = SizeLaw(scale=2, offset=-8), dict.fromkeys(("top", "bottom", "left", "right"), 2)
    valid = contract(square(2)).model_copy(update={"height": law, "width": law, "context": Context(**around, fill=fill)})
    assert [axis.fill for axis in surroundings(valid)] == [fill, fill]


@pytest.mark.parametrize(("height", "width", "needs"), [(41, 40, 41), (40, 42, 42)])
def test_the_axis_that_is_too_long_is_named(height: int, width: int, needs: int) -> None:
    reads_all = limited(NoHalo(node="pool_3", reason="it reads everything"), 40)
    with pytest.raises(ImageTooLargeError, match=rf"\(pool_3: it reads everything\).*this picture needs {needs};"):
        plan_tiles(height, width, reads_all, 16)


def test_a_contract_without_a_halo_says_so() -> None:
    with pytest.raises(ImageTooLargeError, match=r"needs the whole picture at once \(it states no halo\)"):
        plan_tiles(50, 40, limited(square(0), 40).model_copy(update={"halo": None}), 16)


def test_a_side_may_depend_on_the_halo() -> None:
    asked: list[Halo | None] = []

    def side(halo: Halo | None) -> int:
        asked.append(halo)
        return 16

    law = contract(square(30)).model_copy(update={"halo_deviation": (HaloDeviation(halo_px=2, steps=0, share=0),)})
    assert plan_tiles(400, 400, law, side) == plan_tiles(400, 400, law, 16)
    assert asked == [square(30), square(2)]


def test_of_equal_cost_the_squarer_tile_is_taken() -> None:
    assert plan_tiles(64, 64, contract(square(0)), 32).tiles[0].shape == (32, 32)
