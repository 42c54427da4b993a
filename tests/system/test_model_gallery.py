"""The pictures of all models side by side, `python -m benchmarks.gallery`, and the page that shows them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.gallery import __main__ as gallery
from benchmarks.gallery import crops, methods, sheet
from PIL import Image

from upconv.models.catalogue import DEFAULT

DOCS = Path(__file__).parents[2] / "docs"
SCALES = methods.scales()


def gray(value: int) -> Any:
    return np.full((crops.CROP_PX, crops.CROP_PX, 3), value, np.uint8)


def method(name: str, value: int, cost_s: float | None = None) -> methods.EnlargingMethod:
    return methods.EnlargingMethod(name, lambda low: np.full((200, 200, 3), value, np.uint8), lambda tile: None, cost_s)


@pytest.mark.parametrize("scale", SCALES)
def test_the_page_has_every_model_and_a_small_sheet(scale: int) -> None:
    part = (DOCS / "model-gallery.md").read_text().split(f"\n## x{scale}\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `?([^`|]+?)`? \|", part, re.MULTILINE)
    models = [model.name for model in methods.shown() if model.scale == scale]
    assert set(models) <= set(listed), "run python -m benchmarks.gallery"
    assert len((DOCS / f"models-x{scale}.webp").read_bytes()) < 300_000
    with Image.open(DOCS / f"models-x{scale}.webp") as image:
        rows = len(listed) - 2 + 1  # without the head of the table and the rule below it, with the originals
        assert image.size == sheet.drawn([sheet.GalleryRow("", "", (gray(0),) * 6, ("",) * 6)] * rows).size


@pytest.mark.parametrize("scale", SCALES)
def test_six_crops_fit_their_pictures(scale: int) -> None:
    found = crops.crops(scale)
    assert len({each.name for each in found}) == 6
    for each in found:
        height, width, _ = each.low.shape
        assert each.high.shape == (scale * height, scale * width, 3)
        assert each.of(each.high).shape == (crops.CROP_PX, crops.CROP_PX, 3)
        assert len(np.unique(each.of(each.high).reshape(-1, 3), axis=0)) > 3, "something is seen"


def test_the_default_model_runs_twice_for_its_squared_scale_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "TIMED_PX", 16)
    with methods.methods(3) as of_three:
        names = [each.name for each in of_three]
        assert names[:2] == ["nearest", "bicubic"]
        assert not [name for name in names if DEFAULT in name]
        assert methods.reference(of_three).name == "upsample-s-x3"
        times = methods.relative_times(of_three, np.zeros((16, 300, 3), np.uint8), 1)
        assert next(iter(times)) == "upsample-s-x3"
        assert times["upsample-s-x3"] == 1
    monkeypatch.setattr(methods, "shown", lambda: ())
    with methods.methods(4) as of_four:
        twice = of_four[-1]
        assert twice.name == f"{DEFAULT}, twice"
        assert twice.enlarge(np.zeros((8, 9, 3), np.uint8)).shape == (32, 36, 3)


def test_the_best_of_a_crop_is_marked_in_the_sheet_and_in_the_table() -> None:
    original = crops.GalleryCrop("grey", gray(100), np.full((200, 200, 3), 100, np.uint8), 5, 7)
    figures = [
        gallery.measured(method("far", 130), 1.0, [original]),
        gallery.measured(method("near", 101, 1.5), 8.24, [original]),
    ]
    rows = gallery.sheet_rows(figures, [original], "far")
    assert [row.best for row in rows] == [(), (False,), (True,)]
    assert [row.note for row in rows[1:]] == ["time x1.0", "time x8.2, 1.5 s/Mpx"]
    table = gallery.section(2, figures, [original], "far")
    assert "| far | - | x1.0 | 19.91 dB |" in table
    assert "| `near` | 1.5 | x8.2 | **49.45 dB** |" in table


def test_figures_in_words() -> None:
    assert [sheet.times(ratio) for ratio in (0.0059, 0.94, 0.998, 8.24, 12.0)] == ["x0.01", "x0.94", "x1.0", "x8.2", "x12.0"]
    assert [sheet.decibels(psnr) for psnr in (26.926, float("inf"))] == ["26.93 dB", "exact"]


def test_a_sheet_is_as_good_as_its_size_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (crops.CROP_PX, crops.CROP_PX, 3), dtype=np.uint8)
    rows = [sheet.GalleryRow("noise", "", (noise,), ("0 dB",), (True,))]
    data = sheet.sheet(rows)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("WEBP", sheet.drawn(rows).size)
    monkeypatch.setattr(sheet, "MOST_BYTES", len(data) - 1)
    assert len(sheet.sheet(rows)) < len(data)
    monkeypatch.setattr(sheet, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="bytes at quality 60; expected at most 100"):
        sheet.sheet(rows)
