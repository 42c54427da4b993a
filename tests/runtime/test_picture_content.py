"""The content that is found in pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from upconv.runtime import codecs
from upconv.runtime.picture import Picture
from upconv.runtime.picture_content import (
    CRISP_SHARE,
    DENSE_SHARE,
    EDGE_STEP,
    FLAT_SHARE,
    FLAT_SHARE_LOSSY,
    HARD_LOSSY,
    HARD_SHARE,
    LEAST_EDGES,
    LONE_SHARE,
    LONE_SHARE_FEW,
    LONE_STEP,
    MOST_COLORS,
    PATCH_PX,
    PATCHES,
    Content,
    ContentMeasures,
    classify,
    content_of,
    measure,
    tolerance,
)

PHOTOGRAPH = ContentMeasures(colors=30_000, edges=0.08, hard=0.02, lone=0.006, flat=0.13, paper=0.05)
SPRITES = ContentMeasures(colors=14, edges=0.3, hard=0.8, lone=0.16, flat=0.2, paper=0.4)
LITTLE = 1e-6


def of(start: ContentMeasures, **values: Any) -> ContentMeasures:
    return replace(start, **values)


@pytest.mark.parametrize(
    ("found", "lossy", "expected"),
    [
        (PHOTOGRAPH, False, "photograph"),
        (SPRITES, False, "pixel art"),
        (of(SPRITES, lone=LONE_SHARE), False, "dither"),
        (of(SPRITES, lone=LONE_SHARE - LITTLE), False, "pixel art"),
        (of(PHOTOGRAPH, lone=LONE_SHARE), True, "dither"),
        (of(PHOTOGRAPH, lone=LONE_SHARE - LITTLE), True, "photograph"),
        (of(SPRITES, edges=0.01, lone=LONE_SHARE_FEW), False, "dither"),
        (of(SPRITES, edges=0.01, lone=LONE_SHARE_FEW - LITTLE), False, "pixel art"),
        (of(SPRITES, edges=LONE_SHARE_FEW, lone=LONE_SHARE_FEW), False, "pixel art"),
        (of(SPRITES, edges=0.01, lone=LONE_SHARE_FEW, colors=MOST_COLORS + 1, flat=0), False, "photograph"),
        (of(SPRITES, edges=LEAST_EDGES, lone=0), False, "pixel art"),
        (of(SPRITES, edges=LEAST_EDGES - LITTLE, lone=0), False, "photograph"),
        (of(SPRITES, colors=MOST_COLORS), False, "pixel art"),
        (of(SPRITES, colors=MOST_COLORS + 1), False, "halftone"),
        (of(SPRITES, hard=HARD_SHARE), False, "pixel art"),
        (of(SPRITES, hard=HARD_SHARE - LITTLE), False, "halftone"),
        *[(of(SPRITES, colors=9999, hard=hard, paper=paper), True, "pixel art") for hard, paper in HARD_LOSSY],
        *[(of(SPRITES, colors=9999, hard=hard - LITTLE, paper=paper), True, "halftone") for hard, paper in HARD_LOSSY],
        *[(of(SPRITES, colors=9999, hard=hard, paper=paper + LITTLE), True, "halftone") for hard, paper in HARD_LOSSY],
        (of(PHOTOGRAPH, edges=DENSE_SHARE), False, "halftone"),
        (of(PHOTOGRAPH, edges=DENSE_SHARE - LITTLE), False, "photograph"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE), False, "drawing"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE - LITTLE), False, "photograph"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE_LOSSY, edges=0.36), True, "drawing"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE_LOSSY - LITTLE, edges=0.36), True, "halftone"),
        (of(PHOTOGRAPH, flat=0.75, edges=CRISP_SHARE / 4), True, "drawing"),
        (of(PHOTOGRAPH, flat=0.75, edges=CRISP_SHARE / 4 - LITTLE), True, "photograph"),
    ],
)
def test_each_threshold_decides(found: ContentMeasures, lossy: bool, expected: Content) -> None:
    assert classify(found, lossy=lossy) == expected


def grey(*values: int, deep: bool = False) -> Picture:
    row = np.array(values)[None, :, None]
    return Picture(row.astype(np.uint16) if deep else row.astype(np.uint8))


@pytest.mark.parametrize(
    ("values", "edges", "hard", "lone"),
    [
        ((0, 0, EDGE_STEP), 1, 1, 0),
        ((0, 0, EDGE_STEP - 1), 0, 0, 0),
        ((0, 1, EDGE_STEP), 1, 0, 0),
        ((0, LONE_STEP, 0), 0, 0, 1),
        ((0, LONE_STEP - 1, 0), 0, 0, 0),
    ],
)
def test_three_pixels_in_a_row_are_an_edge_or_a_lone_pixel(values: tuple[int, ...], edges: int, hard: int, lone: int) -> None:
    found = measure(grey(*values))
    assert (found.edges, found.hard, found.lone) == (edges, hard, lone)
    assert measure(grey(*(value << 8 for value in values), deep=True)) == found


def test_values_within_the_tolerance_are_equal() -> None:
    assert measure(grey(0, 12, 70), tolerance=12).hard == 1
    assert measure(grey(0, 13, 70), tolerance=12).hard == 0
    assert measure(grey(0, 12), tolerance=12).flat == 1
    assert measure(grey(0, 13), tolerance=12).flat == 0


@pytest.mark.parametrize(("quality", "steps"), [(None, 0), (100, 0), (90, 13), (75, 20), (60, 25), (1, 32)])
def test_the_tolerance_follows_the_quality(quality: int | None, steps: int) -> None:
    assert tolerance(quality) == steps


def text() -> Image.Image:
    image = Image.new("RGB", (240, 200), "white")
    for line in range(10):
        ImageDraw.Draw(image).text((4, 20 * line), "Quick brown foxes jump over it", "black", ImageFont.load_default(15))
    return image


def sprites() -> Image.Image:
    random = np.random.default_rng(3)
    cells = random.integers(0, 6, (60, 80))
    palette = np.array([[20, 20, 30], [250, 240, 210], [200, 40, 40], [30, 90, 200], [240, 200, 30], [10, 120, 60]], np.uint8)
    return Image.fromarray(palette[np.kron(cells, np.ones((3, 3), int))])


def dithered() -> Image.Image:
    y, x = np.mgrid[0:160, 0:200]
    return Image.fromarray((60 + 130 * np.hypot(x - 100, y - 80) / 130).astype(np.uint8)).convert("1")


def smooth() -> Image.Image:
    y, x = np.mgrid[0:160, 0:200] / 30
    waves = np.stack([np.sin(x + y), np.cos(x * y / 3), np.sin(x - 2 * y)], 2)
    return Image.fromarray((127 + 100 * waves + np.random.default_rng(1).normal(0, 3, waves.shape)).astype(np.uint8))


@pytest.mark.parametrize(
    ("image", "expected"), [(text(), "drawing"), (sprites(), "pixel art"), (dithered(), "dither"), (smooth(), "photograph")]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "16 bits"])
def test_pictures_of_all_kinds_of_pixels_have_their_content(image: Image.Image, expected: Content, mode: str) -> None:
    samples = np.asarray(image.convert("RGB" if mode == "16 bits" else mode))
    samples = samples.astype(np.uint16) * 257 if mode == "16 bits" else samples
    picture = Picture(samples.reshape(*samples.shape[:2], -1))
    assert content_of(picture, None) == expected


@pytest.mark.parametrize("quality", [90, 75, 60])
def test_hard_edges_are_seen_after_jpeg(quality: int) -> None:
    for image, hard in ((sprites(), True), (smooth(), False), (text(), False)):
        data = codecs.encode(Picture(np.asarray(image.convert("RGB"))), "jpeg", quality)[0]
        assert (content_of(codecs.decode(data), quality) == "pixel art") == hard


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 4), (2, 1, 3), (1, 9, 2), (3, 40_000, 1)])
def test_a_picture_of_any_size_has_a_content(shape: tuple[int, ...]) -> None:
    assert content_of(Picture(np.zeros(shape, np.uint8)), None) == "photograph"


def test_a_large_picture_is_sampled() -> None:
    side = PATCH_PX * PATCHES
    samples = np.zeros((side, side, 1), np.uint8)
    assert measure(Picture(samples[: 4 * PATCH_PX, : 4 * PATCH_PX])).paper == 1
    samples[::4] = 255  # a stripe in every fourth row, which the patches see too
    assert measure(Picture(samples)).paper == 0.75


def test_smooth_lettering_in_a_palette_of_few_colours_is_no_pixel_art() -> None:
    samples = np.asarray(text().quantize(16).convert("RGB"))
    assert measure(Picture(samples)).colors <= 16
    assert content_of(Picture(samples), None) == "drawing"
