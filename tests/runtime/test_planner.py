from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from upconv.runtime import planner as planner_module
from upconv.runtime.calibration import Calibration
from upconv.runtime.contract import Halo, HaloDeviation, NoHalo
from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.planner import OVERLAPS, Planner, plan_equal_tiles
from upconv.runtime.session import Model, open_model

FREE_BYTES = 16e9


@pytest.fixture
def model(nearest_x2: Path) -> Model:
    return open_model(nearest_x2)


def test_what_cannot_be_cut_is_refused_beyond_the_memory(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_module, "calibrate", lambda *_, **__: Calibration(1000, FREE_BYTES))
    free = [FREE_BYTES]
    monkeypatch.setattr(planner_module, "available_bytes", lambda: free[0])
    whole = model.contract.model_copy(update={"halo": NoHalo(node="pool", reason="it takes the mean of everything")})
    planner = Planner(replace(model, contract=whole), 1)
    assert len(planner.plan(1000, 1000).tiles) == 1
    with pytest.raises(ImageTooLargeError, match="takes the mean of everything"):
        planner.plan(3000, 3000)
    free[0] *= 4
    assert len(planner.plan(3000, 3000).tiles) == 1, "the plan depends on the memory that is free now"


def test_a_wide_halo_is_refused_where_its_smallest_tile_does_not_fit(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_module, "available_bytes", lambda: FREE_BYTES)
    planner = Planner(with_wide_halo(model), 1)
    for bytes_per_px, fits in ((1000, True), (1e9, False)):
        monkeypatch.setattr(planner, "_calibration", Calibration(bytes_per_px, FREE_BYTES, {128: 1e-6}))
        if fits:
            assert planner.plan(3000, 3000).waste < 9
        else:
            with pytest.raises(ImageTooLargeError, match=r"300 above.* GiB"):
                planner.plan(3000, 3000)


@pytest.mark.parametrize(("bytes_per_px", "halo_px"), [(1000, None), (30_000, 10)])
def test_a_picture_too_large_for_one_tile_takes_the_smaller_halo(
    model: Model, monkeypatch: pytest.MonkeyPatch, bytes_per_px: float, halo_px: int | None
) -> None:
    monkeypatch.setattr(planner_module, "calibrate", lambda *_, **__: Calibration(bytes_per_px, FREE_BYTES))
    monkeypatch.setattr(planner_module, "available_bytes", lambda: FREE_BYTES)
    planner = Planner(with_wide_halo(model, HaloDeviation(halo_px=10, steps=0.1, share=0.0)), 1)
    plan = planner.plan(800, 800)
    assert (plan.deviation.halo_px if plan.deviation else None) == halo_px
    assert plan.tiles[0].area * bytes_per_px < FREE_BYTES / 2


def test_the_plan_of_a_small_picture_is_kept_until_another_is_asked_for(model: Model) -> None:
    planner = Planner(model, 1)
    first = planner.plan(64, 48)
    assert planner.plan(64, 48) is first
    for arguments in ((48, 64), (64, 48, "wrap"), (64, 47)):
        assert planner.plan(*arguments) != first
    assert planner.plan(64, 48) == first
    in_tiles = Planner(model, 1, tile_px=16)
    assert len(in_tiles.plan(64, 48).tiles) > 1
    assert in_tiles.plan(64, 48) is not in_tiles.plan(64, 48)


def with_wide_halo(model: Model, *deviations: HaloDeviation) -> Model:
    wide = {"halo": Halo(top=300, bottom=300, left=300, right=300), "halo_deviation": deviations}
    return replace(model, contract=model.contract.model_copy(update=wide))


@pytest.mark.parametrize(
    ("height", "width", "measured"),
    [
        (128, 128, []),  # small enough for any memory
        (128, 129, [False]),
        (1000, 1999, [False]),
        (1000, 2000, [True]),  # 2 megapixels
    ],
)
def test_from_which_size_a_model_is_measured(
    model: Model, monkeypatch: pytest.MonkeyPatch, height: int, width: int, measured: list[bool]
) -> None:
    calls: list[bool] = []

    def calibrated(_: Model, __: int, *, speed: bool) -> Calibration:
        calls.append(speed)
        return Calibration(100, FREE_BYTES, {128: 1e-6} if speed else {})

    monkeypatch.setattr(planner_module, "calibrate", calibrated)
    planner = Planner(model, 1)
    planner.plan(height, width)
    assert calls == measured


@pytest.mark.parametrize(("width", "fits"), [(1000, True), (1001, False)])
def test_what_cannot_be_cut_may_take_half_of_the_free_memory(
    model: Model, monkeypatch: pytest.MonkeyPatch, width: int, fits: bool
) -> None:
    monkeypatch.setattr(planner_module, "calibrate", lambda *_, **__: Calibration(1000, 2e9))
    monkeypatch.setattr(planner_module, "available_bytes", lambda: 2e9)
    whole = model.contract.model_copy(update={"halo": NoHalo(node="pool", reason="it takes the mean of everything")})
    planner = Planner(replace(model, contract=whole), 1)
    if fits:
        assert len(planner.plan(1000, width).tiles) == 1
    else:
        with pytest.raises(ImageTooLargeError, match="takes the mean of everything"):
            planner.plan(1000, width)


@pytest.mark.parametrize(("free_bytes", "fits"), [(811e6, True), (809e6, False)])
def test_the_smallest_tile_of_a_wide_halo_may_take_all_of_the_free_memory(
    model: Model, monkeypatch: pytest.MonkeyPatch, free_bytes: float, fits: bool
) -> None:
    monkeypatch.setattr(planner_module, "calibrate", lambda *_, **__: Calibration(1000, free_bytes, {128: 1e-6}))
    monkeypatch.setattr(planner_module, "available_bytes", lambda: free_bytes)
    planner = Planner(with_wide_halo(model), 1)
    if fits:
        assert planner.plan(3000, 3000).tiles[0].shape == (900, 900)
    else:
        with pytest.raises(ImageTooLargeError, match="300 above"):
            planner.plan(3000, 3000)


def test_tiles_of_another_machine_are_equal_and_not_measured(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_module, "calibrate", None)
    planner = Planner(model, 4, elsewhere_px=64)
    assert {tile.shape for size in (64, 100, 999) for tile in planner.plan(size, size + 1).tiles} == {(64, 64)}
    whole = model.contract.model_copy(update={"halo": NoHalo(node="pool", reason="it takes the mean of everything")})
    assert [tile.shape for tile in plan_equal_tiles(300, 200, whole, 64).tiles] == [(300, 200)]


@pytest.mark.parametrize(("tile_px", "halo_px"), [(OVERLAPS * 40, None), (OVERLAPS * 40 - 1, 4)])
def test_equal_tiles_take_a_smaller_halo_only_if_the_exact_one_is_wide(model: Model, tile_px: int, halo_px: int | None) -> None:
    halo = Halo(top=20, bottom=20, left=1, right=1)
    deviation = HaloDeviation(halo_px=4, steps=0.1, share=0)
    contract = model.contract.model_copy(update={"halo": halo, "halo_deviation": (deviation,)})
    plan = plan_equal_tiles(4 * tile_px, 4 * tile_px, contract, tile_px, most_px=tile_px)
    assert (plan.deviation and plan.deviation.halo_px) == halo_px
    assert plan.tiles[0].shape == (tile_px, tile_px)
    assert plan_equal_tiles(4 * tile_px, 4 * tile_px, contract, tile_px, exact=True).deviation is None
