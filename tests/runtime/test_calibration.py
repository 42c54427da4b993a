from __future__ import annotations

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
        ({128: 1000, 256: 1000, 384: 1000}, 100, NONE, 128),  # what is no faster is not worth its memory
        ({128: 1000, 256: 1000, 384: 1000}, 100, SEVEN, 768),
        ({128: 1000, 256: 1000, 384: 1300}, 100, SEVEN, 256),  # out of the cache
        ({128: 1000}, 1000, SEVEN, 384),
        ({128: 1000}, 2000, SEVEN, 256),  # out of memory
        ({128: 1000}, 100, WIDE, 1024),
        ({128: 1000}, 1e9, SEVEN, 128),
    ],
)
def test_the_fastest_side_per_kept_pixel_is_taken(
    nanoseconds: dict[int, float], bytes_per_px: float, halo: Halo, side: int
) -> None:
    assert Calibration({px: ns * 1e-9 for px, ns in nanoseconds.items()}, bytes_per_px).tile_px(halo) == side


def test_workers_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "available_bytes", lambda: 8_000_000)
    measured = Calibration({128: 1e-6}, 100)
    assert measured.most_px(1) == 40_000
    assert measured.most_px(4) == 10_000


def test_a_model_is_measured_where_it_runs(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = calibrate(open_model(nearest_x2))
    assert min(measured.seconds_per_px) == 128
    assert all(seconds >= 0 for seconds in measured.seconds_per_px.values())
    # Three floats in and twelve out for each pixel.
    assert measured.bytes_per_px == pytest.approx(calibration.LIVE * 4 * 15)


def test_a_slow_model_is_measured_once(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def slow(*_: object) -> float:
        runs.append(1)
        return 10.0

    monkeypatch.setattr(calibration, "_seconds", slow)
    assert list(calibrate(open_model(nearest_x2)).seconds_per_px) == [128]
    assert len(runs) == 1
