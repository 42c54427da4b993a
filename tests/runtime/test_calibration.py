from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from upconv.runtime import calibration
from upconv.runtime.calibration import Calibration, calibrate
from upconv.runtime.contract import Halo
from upconv.runtime.session import Model, Tensor, open_model

NONE = Halo(top=0, bottom=0, left=0, right=0)
SEVEN = Halo(top=7, bottom=7, left=7, right=7)
WIDE = Halo(top=100, bottom=100, left=100, right=100)


@pytest.mark.parametrize(
    ("nanoseconds", "bytes_per_px", "halo", "side"),
    [
        ({128: 1000, 256: 1000, 384: 1000}, 100, NONE, 128),  # larger sides are not faster, so they are not worth their memory
        ({128: 1000, 256: 1000, 384: 1000}, 100, SEVEN, 768),
        ({128: 1000, 256: 1000, 384: 1300}, 100, SEVEN, 256),  # 384 no longer fits the processor's cache
        ({128: 1000}, 1000, SEVEN, 384),
        ({128: 1000}, 2000, SEVEN, 256),  # 384 takes too much memory
        ({128: 1000}, 100, WIDE, 1024),
        ({128: 1000}, 1e9, SEVEN, 128),
    ],
)
def test_the_fastest_side_per_kept_pixel_is_taken(
    nanoseconds: dict[int, float], bytes_per_px: float, halo: Halo, side: int
) -> None:
    seconds_per_px = {px: ns * 1e-9 for px, ns in nanoseconds.items()}
    assert Calibration(bytes_per_px, 2**30, seconds_per_px).tile_px(halo) == side


@pytest.mark.parametrize(
    ("bytes_per_px", "free_bytes", "side"),
    [
        (1000, 2**30, 384),
        (12_000, 2**30, 128),
        (12_000, 2**34, 256),  # above `TILE_BYTES`, because much memory is free
        (1000, 2**27, 256),  # half of the free memory is less than `TILE_BYTES`
        (12_000, 2**20, 128),  # the smallest in any case: the engine halves it if it fails
    ],
)
def test_without_speeds_memory_decides(bytes_per_px: float, free_bytes: float, side: int) -> None:
    assert Calibration(bytes_per_px, free_bytes).tile_px(SEVEN) == side


def test_a_tile_beyond_the_usual_memory_has_to_gain_more() -> None:
    plenty, even = 2**36, {128: 1e-6}
    assert Calibration(100, plenty, even).tile_px(SEVEN) == 768
    assert Calibration(2000, plenty, even).tile_px(SEVEN) == 256  # 384 would save 4 %
    assert Calibration(12_000, plenty, even).tile_px(SEVEN) == 256  # of what 128 costs, it saves 11 %


def test_workers_share_the_memory(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "available_bytes", lambda: 8_000_000)
    assert calibrate(open_model(nearest_x2), 4, speed=False).free_bytes == 2_000_000


def test_a_tile_may_take_half_of_what_is_free_now() -> None:
    measured = Calibration(100, free_bytes=2_000_000)
    assert measured.most_px(8_000_000) == 40_000
    assert measured.most_px(2_000_000) == 10_000
    assert measured.most_px(0) == 1


@pytest.mark.parametrize("speed", [False, True])
def test_a_model_is_measured_where_it_runs(nearest_x2: Path, speed: bool) -> None:
    measured = calibrate(open_model(nearest_x2), 1, speed=speed)
    assert min(measured.seconds_per_px, default=128) == 128
    assert bool(measured.seconds_per_px) is speed
    assert all(seconds >= 0 for seconds in measured.seconds_per_px.values())
    # 3 floats in and 12 out per pixel.
    assert measured.bytes_per_px == pytest.approx(calibration.LIVE * 4 * 15)


def test_a_slow_model_is_measured_once(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def slow(*_: object) -> float:
        runs.append(1)
        return 10.0

    monkeypatch.setattr(calibration, "_seconds", slow)
    assert list(calibrate(open_model(nearest_x2), 1, speed=True).seconds_per_px) == [128]
    assert len(runs) == 1


def test_without_a_place_to_write_memory_is_assumed(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(nearest_x2))
    measured = calibrate(open_model(nearest_x2), 1, speed=True)
    assert (measured.bytes_per_px, measured.tile_px(SEVEN)) == (calibration.UNKNOWN_BYTES_PER_PX, 384)


@pytest.mark.parametrize(
    ("bytes_per_px", "free_bytes", "side"),
    [
        (1820, 2**31, 384),  # 256 MiB for a tile of 384
        (1821, 2**31, 256),
        (3640, 2**33, 384),  # a sixteenth of 8 GiB
        (3641, 2**33, 256),
        (910, 2**28, 384),  # half of 256 MiB
        (911, 2**28, 256),
    ],
)
def test_a_tile_may_take_this_much_memory(bytes_per_px: float, free_bytes: float, side: int) -> None:
    assert Calibration(bytes_per_px, free_bytes).tile_px(SEVEN) == side


@pytest.mark.parametrize(
    ("bytes_per_px", "share", "side"),
    [
        (100, 0.969, 192),  # 3 % less time
        (100, 0.971, 128),
        (7_290, 0.899, 192),  # 10 % less time, for a tile of more than 256 MiB
        (7_290, 0.901, 128),
    ],
)
def test_a_larger_tile_has_to_be_this_much_faster(bytes_per_px: float, share: float, side: int) -> None:
    assert Calibration(bytes_per_px, 2**36, {128: 1e-6, 192: share * 1e-6}).tile_px(NONE) == side


@pytest.mark.parametrize(("seconds", "runs"), [(0.04, 3), (0.124, 3), (0.126, 2), (0.249, 2), (0.251, 1)])
def test_measuring_speed_takes_three_rounds_or_a_quarter_of_a_second(
    seconds: float, runs: int, nearest_x2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[tuple[int, int]] = []

    def measured(_: object, shape: tuple[int, int], __: object) -> float:
        sides.append(shape)
        return seconds

    monkeypatch.setattr(calibration, "_seconds", measured)
    calibrate(open_model(nearest_x2), 1, speed=True)
    assert sides == [(128, 128)] * runs


def test_memory_is_measured_on_a_tile_of_64_pixels(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    run = Model.run

    def watched(model: Model, tensor: Tensor) -> Tensor:
        shapes.append(tensor.shape)
        return run(model, tensor)

    monkeypatch.setattr(Model, "run", watched)
    measured = calibrate(open_model(nearest_x2), 1, speed=False)
    assert shapes == [(1, 3, 64, 64)]
    assert measured.bytes_per_px == 2 * 4 * 15  # twice the largest node's three floats in and twelve out


def test_the_memory_of_a_pixel_that_cannot_be_measured(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(nearest_x2))
    assert calibrate(open_model(nearest_x2), 1, speed=False).bytes_per_px == 1536
