"""The makers of pixel art and dithers for the figures of docs/model-choice.md. No threshold was set on them."""

from __future__ import annotations

import numpy as np
from benchmarks.model_choice.canvas import LowMaker
from benchmarks.model_choice.makers_for_figures import sentence, still_life
from PIL import Image, ImageDraw, ImageFont

from upconv.models.training.data import Pixels

_CONSOLE = np.array(
    [
        (0, 0, 0), (29, 43, 83), (126, 37, 83), (0, 135, 81), (171, 82, 54), (95, 87, 79), (194, 195, 199), (255, 241, 232),
        (255, 0, 77), (255, 163, 0), (255, 236, 39), (0, 228, 54), (41, 173, 255), (131, 118, 156), (255, 119, 168), (255, 204, 170),
    ],
    np.uint8,
)  # fmt: skip
"""The sixteen colours of a fantasy console."""
_GREENS = np.array([(15, 56, 15), (48, 98, 48), (139, 172, 15), (155, 188, 15)], np.uint8)
"""Four greens of a hand-held game."""


def platform_game(random: np.random.Generator, side: int) -> Pixels:
    """Return a platform game in the sixteen colours: sky in bands, hills, bricks, a hero."""
    low = np.empty((side, side, 3), np.uint8)
    for row in range(side):
        low[row] = _CONSOLE[(1, 13, 12)[min(2, 3 * row // max(1, side * 2 // 3))]]
    for column in range(side):
        low[side - round(side * (0.3 + 0.1 * np.sin(column / 9 + random.uniform(0, 0.2)))) :, column] = _CONSOLE[3]
    for _ in range(side // 8):
        top, left = (int(n) for n in random.integers(0, max(1, side - 16), 2) // 4 * 4)
        for step in range(int(random.integers(2, 6))):
            low[top : top + 8, left + 8 * step : left + 8 * step + 8] = _CONSOLE[4]
            low[top : top + 8 : 4, left + 8 * step : left + 8 * step + 8] = _CONSOLE[2]
            low[top : top + 4, left + 8 * step : left + 8 * step + 1] = _CONSOLE[2]
            low[top + 4 : top + 8, left + 8 * step + 4 : left + 8 * step + 5] = _CONSOLE[2]
    return low


def icons(background: int, size: int, factor: int) -> LowMaker:
    """Return what draws round icons with an outline, a highlight and a shadow, in the sixteen colours, on one colour."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        count = -(-side // factor)
        low = np.empty((count, count, 3), np.uint8)
        low[:] = _CONSOLE[background]
        y, x = np.mgrid[0:size, 0:size] - (size - 1) / 2
        for top in range(1, count, size + 3):
            for left in range(1, count, size + 3):
                color = _CONSOLE[int(random.integers(2, 16))]
                reach = np.hypot(x * random.uniform(1, 1.6), y * random.uniform(1, 1.4)) / (size / 2)
                icon = np.zeros((size, size, 3), np.uint8)
                icon[:] = color
                icon[(x + y) > size * 0.25] = color // 2
                icon[np.hypot(x + size / 5, y + size / 5) < size / 8] = _CONSOLE[7]
                icon[reach > 0.8] = _CONSOLE[0]
                place = low[top : top + size, left : left + size]
                shown = reach[: place.shape[0], : place.shape[1]] <= 1
                place[shown] = icon[: place.shape[0], : place.shape[1]][shown]
        return low.repeat(factor, 0).repeat(factor, 1)[:side, :side]

    return make


def bitmap_text(random: np.random.Generator, side: int) -> Pixels:
    """Return a text adventure: letters of hard pixels in two colours, in a frame."""
    image = Image.new("1", (side, side))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default_imagefont()
    for line in range(-(-side // 11)):
        draw.text((3, 2 + 11 * line), sentence(random, 8), 1, font)
    ink, paper = _CONSOLE[10], _CONSOLE[1]
    pixels: Pixels = np.where(np.asarray(image)[..., None], ink, paper).astype(np.uint8)
    return pixels


def hand_held(random: np.random.Generator, side: int) -> Pixels:
    """Return a hand-held game in four greens: grass, paths, houses, in tiles of 16 pixels."""
    count = -(-side // 16)
    tiles = []
    for _ in range(5):
        half = random.choice(4, (16, 8), p=(0.12, 0.18, 0.3, 0.4))
        half = np.where(random.random((16, 1)) < 0.4, half[:, :1], half)
        tiles.append(np.concatenate([half, half[:, ::-1]], 1))
    field = [np.concatenate([tiles[int(n)] for n in random.integers(0, 5, count)], 1) for _ in range(count)]
    pixels: Pixels = _GREENS[np.concatenate(field, 0)[:side, :side]]
    return pixels


def isometric(random: np.random.Generator, side: int) -> Pixels:
    """Return blocks in three shades of 20 colours, seen from above, with hard edges."""
    image = Image.new("RGB", (side, side), (70, 80, 110))
    draw = ImageDraw.Draw(image)
    for row in range(-1, side // 6 + 2):
        for column in range(-1, side // 24 + 2):
            x, y = 24 * column + 12 * (row % 2), 6 * row + int(random.integers(-2, 3)) * 3
            base = random.integers(0, 20)
            top, left, right = (
                tuple(int(v) for v in (40 + base * np.array((37, 71, 113)) % 180) * k) for k in (1.15, 0.8, 0.55)
            )
            draw.polygon(((x, y - 6), (x + 12, y), (x, y + 6), (x - 12, y)), top)
            draw.polygon(((x - 12, y), (x, y + 6), (x, y + 18), (x - 12, y + 12)), left)
            draw.polygon(((x + 12, y), (x, y + 6), (x, y + 18), (x + 12, y + 12)), right)
    return np.asarray(image)


def old_windows(random: np.random.Generator, side: int) -> Pixels:
    """Return windows of an old system: grey bevels, hard letters, hard icons."""
    image = Image.new("RGB", (side, side), (0, 128, 128))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default_imagefont()
    draw.fontmode = "1"
    for number in range(max(2, side // 30)):
        x, y = (int(n) for n in random.integers(-20, side, 2))
        draw.rectangle((x, y, x + 90, y + 60), (192, 192, 192), (0, 0, 0))
        draw.line((x + 1, y + 59, x + 1, y + 1, x + 89, y + 1), (255, 255, 255))
        draw.rectangle((x + 3, y + 3, x + 87, y + 15), (0, 0, 128) if number % 2 else (128, 128, 128))
        draw.text((x + 5, y + 4), "C:\\GAMES", (255, 255, 255), font)
        draw.text((x + 6, y + 22), sentence(random, 2), (0, 0, 0), font)
        draw.rectangle((x + 8, y + 40, x + 30, y + 54), (192, 192, 192), (128, 128, 128))
    return np.asarray(image)


def _diffused(grey: Pixels, shares: tuple[tuple[int, int, float], ...], levels: int) -> Pixels:
    """Return (h, w, 3) in `levels` per channel; each error goes to (row, column) neighbours by its share."""
    field = grey.astype(float)
    height, width = field.shape[:2]
    step = 255 / (levels - 1)
    for row in range(height):
        for column in range(width):
            exact = field[row, column].copy()
            field[row, column] = np.clip(np.round(exact / step), 0, levels - 1) * step
            for down, right, share in shares:
                if row + down < height and 0 <= column + right < width:
                    field[row + down, column + right] += share * (exact - field[row, column])
    return field.clip(0, 255).astype(np.uint8)


_ATKINSON = tuple((down, right, 1 / 8) for down, right in ((0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0)))
_SIERRA = ((0, 1, 1 / 2), (1, -1, 1 / 4), (1, 0, 1 / 4))


def atkinson(random: np.random.Generator, side: int) -> Pixels:
    """Return a still life in black and white, by Atkinson."""
    grey = np.asarray(Image.fromarray(still_life(random, side)).convert("L"))[..., None]
    return _diffused(grey, _ATKINSON, 2).repeat(3, 2)


def sierra(random: np.random.Generator, side: int) -> Pixels:
    """Return a still life in the eight colours of a teletext page, by Sierra's small filter."""
    return _diffused(still_life(random, side), _SIERRA, 2)


def ordered_eight(levels: int, grey: bool) -> LowMaker:
    """Return what dithers a still life by Bayer's 8x8 matrix."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        bits = [(y, x) for y in range(8) for x in range(8)]
        matrix = np.zeros((8, 8))
        for y, x in bits:
            matrix[y, x] = sum((2 * ((x ^ y) >> k & 1) + (y >> k & 1)) << 2 * (2 - k) for k in range(3)) / 64
        threshold = np.tile(matrix, (-(-side // 8), -(-side // 8)))[:side, :side, None]
        still = Image.fromarray(still_life(random, side))
        color = np.asarray(still.convert("L").convert("RGB") if grey else still) / 255
        return (255 // (levels - 1) * np.floor(color * (levels - 1) + threshold)).astype(np.uint8)

    return make


def fixed_palette(colors: str) -> LowMaker:
    """Return what dithers a still life in the console's colours, or those of old web pages, by Floyd and Steinberg."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        still = Image.fromarray(still_life(random, side))
        if colors == "web":
            return np.asarray(still.convert("P", dither=Image.Dither.FLOYDSTEINBERG, palette=Image.Palette.WEB).convert("RGB"))
        palette = Image.new("P", (1, 1))
        palette.putpalette(_CONSOLE.tobytes())
        return np.asarray(still.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))

    return make


LOW_MAKERS: dict[str, tuple[LowMaker, ...]] = {
    "pixel art": (
        platform_game,
        icons(6, 12, 1),
        icons(1, 16, 2),
        icons(7, 9, 4),
        bitmap_text,
        hand_held,
        isometric,
        old_windows,
    ),
    "dither": (
        atkinson,
        sierra,
        ordered_eight(2, True),
        ordered_eight(2, False),
        ordered_eight(4, False),
        ordered_eight(6, True),
        fixed_palette("console"),
        fixed_palette("web"),
    ),
}
