from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.runtime.contract import Context, Contract, Crop, Halo, HaloDeviation, NoHalo, Provenance, SizeLaw
from upconv.runtime.errors import ImageTooLargeError, ModelError
from upconv.runtime.tiling import MAX_STEPS, MAX_WASTE, plan_tiles


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
)
def test_every_pixel_is_kept_once_from_a_tile_that_holds_its_halo(
    height: int, width: int, halo: Halo, multiple: int, minimum: int, tile: int
) -> None:
    tiles = plan_tiles(height, width, contract(halo, multiple=multiple, minimum=minimum), tile)
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
