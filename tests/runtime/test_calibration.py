from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from upconv.runtime import calibration
from upconv.runtime.calibration import Calibration, calibrate
from upconv.runtime.contract import Halo
from upconv.runtime.session import open_model

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
