"""The content that is found in pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from upconv.runtime import codecs
from upconv.runtime.picture import Picture
from upconv.runtime.picture_content import (
    COLORED_RAMP,
    COLORED_STEPS,
    CRISP_SHARE,
    DENSE_EDGES,
    DENSE_RAMP,
    DENSE_STEPS,
    DRAWN_WEIGHTS,
    EDGE_STEP,
    FEW_RAMP,
    FLAT_SHARE,
    HARD_RAMP,
    LEAST_EDGES,
    LEAST_STEPS,
    LONE_SHARE,
    LONE_STEP,
    MOST_COLORS,
    PAPER_SHARE,
    PATCH_PX,
    PATCHES,
    RAMP_OF_STEPS,
    STEP,
    Content,
    ContentMeasures,
    classify,
    content_of,
    measure,
    tolerance,
)

PHOTOGRAPH = ContentMeasures(colors=30_000, steps=0.1, ramp=0.5, edges=0.08, lone=0.006, flat=0.13, paper=0.05)
SPRITES = ContentMeasures(colors=9_000, steps=0.3, ramp=0.04, edges=0.3, lone=0.16, flat=0.3, paper=0.4)
LINES = ContentMeasures(colors=900, steps=0.35, ramp=0.7, edges=0.4, lone=0.05, flat=0.55, paper=0.5)
DOTS = ContentMeasures(colors=3_000, steps=0.45, ramp=0.65, edges=0.5, lone=0.1, flat=0.1, paper=0.1)
SCREEN = ContentMeasures(colors=3_000, steps=0.2, ramp=0.5, edges=0.2, lone=0.05, flat=0.7, paper=0.5)
FLAT_SCREEN = (
    1 - sum(w * share for w, share in zip(DRAWN_WEIGHTS, (0.2**0.5, 0.2**0.5, 0.05**0.5, 0, 0.5), strict=True))
) / DRAWN_WEIGHTS[3]
"""The share of equal neighbours that makes the weighted sum of `SCREEN` one."""
FEW = 0.1
"""A share of steps that is too small for `HARD_RAMP`."""
LITTLE = 1e-6


def of(start: ContentMeasures, **values: Any) -> ContentMeasures:
    return replace(start, **values)


@pytest.mark.parametrize(
    ("found", "lossy", "expected"),
    [
        (PHOTOGRAPH, False, "photograph"),
        (SPRITES, False, "pixel art"),
        (LINES, False, "line art"),
        (DOTS, False, "halftone"),
        (of(DOTS, lone=LONE_SHARE), False, "dither"),
        (of(DOTS, lone=LONE_SHARE - LITTLE), False, "halftone"),
        (of(DOTS, lone=LONE_SHARE), True, "dither"),
        (of(DOTS, lone=LONE_SHARE - LITTLE), True, "halftone"),
        (of(SPRITES, edges=0.2, lone=0.2 + LITTLE), False, "dither"),
        (of(SPRITES, edges=0.2, lone=0.2), False, "pixel art"),
        (of(SPRITES, edges=0.1, lone=LONE_SHARE), True, "dither"),
        (of(SPRITES, edges=0.1, lone=LONE_SHARE - LITTLE), True, "pixel art"),
        (of(SPRITES, ramp=HARD_RAMP), True, "pixel art"),
        (of(SPRITES, ramp=HARD_RAMP + LITTLE), True, "halftone"),
        (of(PHOTOGRAPH, steps=FEW, ramp=FEW_RAMP + RAMP_OF_STEPS * FEW - LITTLE), True, "pixel art"),
        (of(PHOTOGRAPH, steps=FEW, ramp=FEW_RAMP + RAMP_OF_STEPS * FEW + LITTLE), True, "photograph"),
        (of(PHOTOGRAPH, steps=FEW, ramp=HARD_RAMP, flat=FLAT_SHARE, edges=0.2), True, "pixel art"),
        (of(PHOTOGRAPH, steps=FEW, ramp=HARD_RAMP, flat=FLAT_SHARE - LITTLE, edges=0.2), True, "photograph"),
        (of(SPRITES, steps=LEAST_STEPS), False, "pixel art"),
        (of(SPRITES, steps=LEAST_STEPS - LITTLE), False, "halftone"),
        (of(DOTS, edges=LEAST_EDGES - LITTLE), False, "photograph"),
        (of(SPRITES, colors=MOST_COLORS, ramp=COLORED_RAMP), False, "pixel art"),
        (of(SPRITES, colors=MOST_COLORS, ramp=COLORED_RAMP + LITTLE), False, "halftone"),
        (of(SPRITES, colors=MOST_COLORS + 1, ramp=COLORED_RAMP), False, "halftone"),
        (of(SPRITES, colors=MOST_COLORS, ramp=COLORED_RAMP), True, "halftone"),
        (of(SPRITES, colors=MOST_COLORS, steps=COLORED_STEPS), False, "pixel art"),
        (of(SPRITES, colors=MOST_COLORS, steps=COLORED_STEPS - LITTLE), False, "halftone"),
        (of(LINES, steps=DENSE_STEPS), False, "line art"),
        (of(LINES, steps=DENSE_STEPS - LITTLE), False, "drawing"),
        (of(LINES, ramp=DENSE_RAMP), False, "line art"),
        (of(LINES, ramp=DENSE_RAMP - LITTLE), False, "drawing"),
        (of(DOTS, edges=DENSE_EDGES), False, "halftone"),
        (of(DOTS, edges=DENSE_EDGES - LITTLE), False, "photograph"),
        (of(DOTS, paper=PAPER_SHARE), False, "line art"),
        (of(DOTS, paper=PAPER_SHARE - LITTLE), False, "halftone"),
        (of(DOTS, paper=PAPER_SHARE, ramp=DENSE_RAMP - LITTLE), False, "halftone"),
        (of(DOTS, edges=0.1), True, "halftone"),
        (of(DOTS, edges=0.1, steps=DENSE_STEPS - LITTLE), True, "photograph"),
        (of(DOTS, edges=0.1, ramp=DENSE_RAMP - LITTLE), True, "photograph"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE, edges=0.2), False, "drawing"),
        (of(PHOTOGRAPH, flat=FLAT_SHARE - LITTLE, edges=0.2), False, "photograph"),
        (of(PHOTOGRAPH, flat=0.75, edges=CRISP_SHARE / 4), False, "drawing"),
        (of(PHOTOGRAPH, flat=0.75, edges=CRISP_SHARE / 4 - LITTLE), False, "photograph"),
        (of(SCREEN, flat=FLAT_SCREEN + LITTLE), True, "drawing"),
        (of(SCREEN, flat=FLAT_SCREEN - LITTLE), True, "photograph"),
    ],
)
def test_each_threshold_decides(found: ContentMeasures, lossy: bool, expected: Content) -> None:
    assert classify(found, lossy=lossy) == expected


def grey(*values: int, deep: bool = False) -> Picture:
    row = np.array(values)[None, :, None]
    return Picture(row.astype(np.uint16) if deep else row.astype(np.uint8))


@pytest.mark.parametrize(
    ("values", "edges", "lone"),
    [
        ((0, 0, EDGE_STEP), 1, 0),
        ((0, 0, EDGE_STEP - 1), 0, 0),
        ((0, LONE_STEP, 0), 0, 1),
        ((0, LONE_STEP - 1, 0), 0, 0),
    ],
)
def test_three_pixels_in_a_row_are_an_edge_or_a_lone_pixel(values: tuple[int, ...], edges: int, lone: int) -> None:
    found = measure(grey(*values))
    assert (found.edges, found.lone) == (edges, lone)
    assert measure(grey(*(value << 8 for value in values), deep=True)) == found


def rows(*values: tuple[int, ...]) -> Picture:
    return Picture(np.array(values, np.uint8)[..., None])


@pytest.mark.parametrize(
    ("picture", "steps", "ramp"),
    [
        (rows((0, 0, STEP, STEP), (0, 0, 0, 0)), 1, 0),
        (rows((0, 0, STEP - 1, STEP - 1), (0, 0, 0, 0)), 0, 0),
        (rows((0, 0, 40, 50), (0, 0, 0, 0)), 1, 0.25),
        (rows((0, 8, 40, 56), (0, 0, 0, 0)), 1, 0.5),
        (rows((0, 0, 40, 200), (0, 0, 0, 0)), 1, 1),
        (rows((0, 0, 40, 0), (0, 0, 0, 0)), 1, 0),
        (rows((0, 0, 40, 40), (0, 0, 40, 40)), 0, 0),
    ],
)
def test_a_step_counts_if_it_changes_along_its_edge(picture: Picture, steps: int, ramp: float) -> None:
    found = measure(picture)
    assert found.steps == steps / 2  # there are two places along the rows, none along the columns
    assert found.ramp == ramp


def test_a_ramp_is_less_what_jpeg_may_have_moved() -> None:
    picture = rows((0, 0, 40, 50), (0, 0, 0, 0))
    assert measure(picture, tolerance=3).ramp == 0.25
    assert measure(picture, tolerance=4).ramp == 9 / 40


def test_values_within_the_tolerance_are_equal() -> None:
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


def icons() -> Image.Image:
    """Few pixels of a drawing in hard colours, on much ground of one colour."""
    image = Image.new("RGB", (240, 200), (120, 170, 210))
    for number in range(20):
        left, top = 48 * (number % 5) + 10, 50 * (number // 5) + 10
        ImageDraw.Draw(image).ellipse((left, top, left + 17, top + 20), (255, 40 * (number % 6), 77), "black", 2)
    return image


def framed() -> Image.Image:
    """A table: hard frames around smooth lettering."""
    image = Image.new("RGB", (240, 200), "white")
    for row in range(10):
        for column in range(4):
            box = (60 * column, 20 * row, 60 * column + 60, 20 * row + 20)
            ImageDraw.Draw(image).rectangle(box, None, (120, 120, 120))
            ImageDraw.Draw(image).text((60 * column + 5, 20 * row + 3), "2,481.6", "black", ImageFont.load_default(12))
    return image


def faint() -> Image.Image:
    """A scene in sixteen of its colours, dithered."""
    palette = smooth().quantize(16, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return smooth().quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")


@pytest.mark.parametrize("quality", [None, 90, 75, 60])
@pytest.mark.parametrize(
    ("make", "hard"), [(sprites, True), (icons, True), (faint, True), (smooth, False), (text, False), (framed, False)]
)
def test_hard_edges_are_seen_after_jpeg(make: Callable[[], Image.Image], hard: bool, quality: int | None) -> None:
    picture = Picture(np.asarray(make().convert("RGB")))
    if quality is not None:
        picture = codecs.decode(codecs.encode(picture, "jpeg", quality)[0])
    assert (content_of(picture, quality) in ("pixel art", "dither")) == hard


def drawn_lines() -> Image.Image:
    image = Image.new("L", (960, 800), "white")
    random = np.random.default_rng(5)
    for x, y, radius in random.uniform((0, 0, 60), (960, 800, 300), (90, 3)):
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), None, "black", 10)
    return image.resize((240, 200), Image.Resampling.BICUBIC)


def printed_dots() -> Image.Image:
    y, x = np.mgrid[0:800, 0:960] / 24
    planes = [np.sin(x * c + y * s) * np.sin(y * c - x * s) > 0.3 * np.sin(y / 5 + c) for c, s in ((3, 1), (1, 3), (2.4, 2))]
    return Image.fromarray((255 * np.stack(planes, 2)).astype(np.uint8)).resize((240, 200), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("make", "expected"), [(drawn_lines, "line art"), (printed_dots, "halftone")])
def test_lines_and_dots_are_dense(make: Callable[[], Image.Image], expected: Content) -> None:
    assert content_of(Picture(np.asarray(make().convert("RGB"))), None) == expected


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
    assert content_of(Picture(samples), None) == "drawing"
