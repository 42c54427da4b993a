"""The makers of the pictures on which the rules and thresholds of the choice were set."""

from __future__ import annotations

import numpy as np
from benchmarks.model_choice.canvas import SIDE_PX, SUPERSAMPLED, WORDS, HighMaker, LowMaker, canvas, scene_of
from PIL import Image, ImageFont

from upconv.models.training.data import Pixels


def text(ink: tuple[int, ...], paper: tuple[int, ...], sizes: tuple[int, ...]) -> HighMaker:
    """Return what writes lines of text in fonts of `sizes` low-resolution pixels."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = canvas(paper)
        top = 4.0
        while top < SIDE_PX:
            size = float(random.choice(sizes)) * scale
            line = " ".join(random.choice(WORDS, 12))
            draw.text((6, top), line, ink, ImageFont.load_default(size))
            top += 1.3 * size
        return np.asarray(image)

    return make


def sparse_text(random: np.random.Generator, scale: float) -> Pixels:
    """Return few lines of text on much paper, with a line below a heading."""
    paper, ink = ((255, 255, 255), (30, 30, 40)) if random.random() < 0.6 else ((28, 30, 34), (215, 215, 220))
    image, draw = canvas(paper)
    for top in np.arange(float(random.uniform(2, 12)) * scale, SIDE_PX, 58 * scale):
        size = float(random.uniform(10, 16)) * scale
        left = float(random.uniform(4, 20)) * scale
        draw.text((left, top), " ".join(random.choice(WORDS, int(random.integers(2, 5)))), ink, ImageFont.load_default(size))
        draw.line((left, top + 1.5 * size, SIDE_PX - left, top + 1.5 * size), (128, 128, 128), max(1, round(scale)))
    return np.asarray(image)


def window(random: np.random.Generator, scale: float) -> Pixels:
    """Return a window of a program: bars, buttons and coloured text."""
    image, draw = canvas((240, 240, 243))
    draw.rectangle((0, 0, SIDE_PX, 22 * scale), (40, 90, 160))
    draw.text((6, 4 * scale), "Document - Editor", (255, 255, 255), ImageFont.load_default(12 * scale))
    for row in range(1, 20):
        top = 12 + row * 24 * scale
        color = tuple(int(n) for n in random.integers(20, 200, 3))
        draw.rectangle((8, top, 8 + 40 * scale, top + 16 * scale), (255, 255, 255), (120, 120, 120), max(1, round(scale)))
        draw.text((12, top + scale), "Cancel", color, ImageFont.load_default(11 * scale))
        draw.text((16 + 44 * scale, top), " ".join(random.choice(WORDS, 8)), color, ImageFont.load_default(12 * scale))
    return np.asarray(image)


def strokes(colors: int, width: float) -> HighMaker:
    """Return what draws smooth lines and circles, `width` low-resolution pixels wide."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = canvas((255, 255, 255), SUPERSAMPLED)
        side, thick = SIDE_PX * SUPERSAMPLED, max(1, round(width * scale * SUPERSAMPLED))
        inks = [(0, 0, 0), *(tuple(int(n) for n in random.integers(0, 200, 3)) for _ in range(colors - 1))]
        for number in range(max(6, round(60 / scale))):
            ink = inks[number % len(inks)]
            x, y, radius = (float(n) for n in random.uniform(0, side, 3))
            if number % 3 == 0:
                draw.line([tuple(random.uniform(0, side, 2)) for _ in range(2)], ink, thick)
            elif number % 3 == 1:
                radius /= 3
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), None, ink, thick)
            else:
                steps = np.linspace(0, 1, 60)
                curve = side * np.stack([steps, y / side + 0.2 * np.sin(steps * random.uniform(4, 20))], 1)
                draw.line([tuple(point) for point in curve], ink, thick, joint="curve")
        return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))

    return make


def shapes(random: np.random.Generator, scale: float) -> Pixels:
    """Return a drawing of filled shapes with outlines, as in comics and diagrams."""
    image, draw = canvas((250, 245, 230), SUPERSAMPLED)
    side, thick = SIDE_PX * SUPERSAMPLED, max(1, round(1.5 * scale * SUPERSAMPLED))
    for number in range(30):
        x, y = (float(n) for n in random.uniform(0, side, 2))
        radius = float(random.uniform(6, 30)) * scale * SUPERSAMPLED
        color = tuple(int(n) for n in random.integers(30, 255, 3))
        box = (x - radius, y - radius, x + radius, y + radius)
        (draw.ellipse if number % 2 else draw.rectangle)(box, color, (20, 20, 20), thick)
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def _smooth(image: Image.Image) -> Pixels:
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def flow_chart(random: np.random.Generator, scale: float) -> Pixels:
    """Return boxes with rounded corners and arrows between them."""
    image, draw = canvas((255, 255, 255), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for row in range(round(side / unit / 44) + 1):
        for column in range(round(side / unit / 64) + 1):
            left, top = (64 * column + float(random.uniform(2, 10))) * unit, (44 * row + float(random.uniform(2, 10))) * unit
            fill, ink = tuple(int(n) for n in random.integers(180, 255, 3)), tuple(int(n) for n in random.integers(0, 120, 3))
            draw.line((left + 20 * unit, top, left + float(random.uniform(-30, 60)) * unit, top + 44 * unit), ink, round(unit))
            draw.rounded_rectangle(
                (left, top, left + 42 * unit, top + 22 * unit), 5 * unit, fill, ink, round(unit * random.uniform(0.7, 2))
            )
    return _smooth(image)


def bars(random: np.random.Generator, scale: float) -> Pixels:
    """Return a chart of bars with lines of a grid."""
    image, draw = canvas((250, 250, 250), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for top in np.arange(float(random.uniform(3, 9)) * unit, side, 18 * unit):
        draw.line((0, top, side, top), (200, 200, 205), max(1, round(0.8 * unit)))
    for left in np.arange(4 * unit, side, 15 * unit):
        color = tuple(int(n) for n in random.integers(20, 230, 3))
        draw.rectangle((left, float(random.uniform(0.1, 0.9)) * side, left + 9 * unit, side), color)
    return _smooth(image)


def patches(outlined: bool) -> HighMaker:
    """Return what draws flat polygons in random colours, with or without thin outlines."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = canvas(tuple(int(n) for n in random.integers(60, 256, 3)), SUPERSAMPLED)
        unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
        for _ in range(max(6, round(60 / scale))):
            middle = random.uniform(0, side, 2)
            corners = [tuple(middle + offset) for offset in random.uniform(-28, 28, (int(random.integers(3, 7)), 2)) * unit]
            draw.polygon(corners, tuple(int(n) for n in random.integers(40, 256, 3)))
            if outlined:
                draw.line([*corners, corners[0]], (60, 60, 70), max(1, round(0.9 * unit)))
        return _smooth(image)

    return make


def shaded(random: np.random.Generator, scale: float) -> Pixels:
    """Return rings and strips whose colour changes along them."""
    side = SIDE_PX * SUPERSAMPLED
    y, x = np.mgrid[0:side, 0:side] / (scale * SUPERSAMPLED)
    picture = np.ones((side, side, 3)) * random.uniform(0.3, 1, 3)
    for _ in range(max(5, round(36 / scale))):
        (cx, cy), width = random.uniform(0, SIDE_PX / scale, 2), float(random.uniform(3, 16))
        inside = (
            abs(np.hypot(x - cx, y - cy) - 2 * width) < width
            if random.random() < 0.6
            else abs(x - cx + 0.5 * (y - cy)) < width / 3
        )
        share = (0.5 + 0.5 * np.sin((x + y) / 20 + cx))[inside][:, None]
        picture[inside] = share * random.uniform(0, 1, 3) + (1 - share) * random.uniform(0, 1, 3)
    return _smooth(Image.fromarray((255 * picture).astype(np.uint8)))


def hatched(random: np.random.Generator, scale: float) -> Pixels:
    """Return sparse thin lines in the directions of the sides and of the diagonals."""
    image, draw = canvas((255, 255, 255), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for _ in range(max(10, round(110 / scale))):
        x, y, length = (float(n) for n in random.uniform(0, 1, 3) * (side, side, 80 * unit))
        dx, dy = ((1, 0), (0, 1), (0.7, 0.7))[int(random.integers(0, 3))]
        grey = int(random.integers(0, 140))
        draw.line((x, y, x + dx * length, y + dy * length), (grey,) * 3, max(1, round(float(random.uniform(0.6, 3)) * unit)))
    return _smooth(image)


def halftone(pitch: float, angles: tuple[float, ...]) -> HighMaker:
    """Return what prints a scene with round dots, `pitch` low-resolution pixels apart, one angle or one for each ink."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        side = SIDE_PX * SUPERSAMPLED
        scene = np.kron(scene_of(random, SIDE_PX), np.ones((SUPERSAMPLED, SUPERSAMPLED, 1)))
        y, x = np.mgrid[0:side, 0:side] / (pitch * scale * SUPERSAMPLED)
        printed = np.empty((side, side, 3))
        for channel in range(3):
            angle = np.radians(angles[channel % len(angles)])
            u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            screen = 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v))
            printed[..., channel] = scene[..., channel if len(angles) > 1 else 0] > screen
        image = Image.fromarray((255 * printed).astype(np.uint8))
        return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))

    return make


def sprites(cell: int, shades: int) -> LowMaker:
    """Return what draws mirrored sprites of `cell` pixels with outlines, in a few colours."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        palette = random.integers(0, 256, (6, 3))
        low = np.empty((side, side, 3), np.uint8)
        low[:] = palette[0]
        for top in range(1, side - cell, cell + 2):
            for left in range(1, side - cell, cell + 2):
                half = random.random((cell, (cell + 1) // 2)) < 0.55
                half = half | np.roll(half, 1, 0)
                body = np.concatenate([half, half[:, ::-1][:, cell % 2 :]], 1)[:, :cell]
                color = palette[random.integers(1, 5)]
                for row, column in zip(*np.nonzero(body), strict=True):
                    shade = 1 - 0.25 * (row * shades // cell)
                    low[top + row, left + column] = (color * shade).astype(np.uint8)
                inside = body.copy()
                inside[1:-1, 1:-1] &= body[:-2, 1:-1] & body[2:, 1:-1] & body[1:-1, :-2] & body[1:-1, 2:]
                low[top : top + cell, left : left + cell][body & ~inside] = palette[5] // 4
        return low

    return make


def tiles(random: np.random.Generator, side: int) -> Pixels:
    """Return ground of repeated 8x8 tiles in sixteen colours, as in old games."""
    palette = random.integers(0, 256, (16, 3)).astype(np.uint8)
    kinds = [palette[random.choice(random.integers(0, 16, 3), (8, 8), p=(0.7, 0.2, 0.1))] for _ in range(6)]
    count = -(-side // 8)
    field = random.integers(0, 6, (count, count))
    rows = [np.concatenate([kinds[kind] for kind in row], 1) for row in field]
    return np.concatenate(rows, 0)[:side, :side]


def large_pixels(random: np.random.Generator, side: int) -> Pixels:
    """Return sprites whose pixels are already squares of 3x3."""
    small = sprites(9, 2)(random, -(-side // 3))
    return np.kron(small, np.ones((3, 3, 1), np.uint8))[:side, :side]


def error_diffused(random: np.random.Generator, side: int) -> Pixels:
    """Return a grey scene in black and white, by Floyd and Steinberg."""
    scene = Image.fromarray((255 * scene_of(random, side)).astype(np.uint8))
    return np.asarray(scene.convert("L").convert("1").convert("RGB"))


def ordered(levels: int) -> LowMaker:
    """Return what dithers a scene to `levels` per channel by Bayer's 4x4 matrix."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        matrix = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
        threshold = np.tile(matrix, (-(-side // 4), -(-side // 4)))[:side, :side, None]
        scene = scene_of(random, side) if levels > 2 else scene_of(random, side)[..., :1].repeat(3, 2)
        return (255 // (levels - 1) * np.floor(scene * (levels - 1) + threshold)).astype(np.uint8)

    return make


def sixteen_colors(random: np.random.Generator, side: int) -> Pixels:
    """Return a scene in its sixteen best colours, by Floyd and Steinberg."""
    scene = Image.fromarray((255 * scene_of(random, side)).astype(np.uint8))
    palette = scene.quantize(16, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(scene.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def any_text(random: np.random.Generator, scale: float) -> Pixels:
    """Return text in two random colours of enough contrast, in random sizes."""
    first, second = (tuple(int(n) for n in random.integers(low, low + 90, 3)) for low in (0, 165))
    sizes = tuple(int(n) for n in random.integers(10, 26, 3))
    return text(*((first, second) if random.random() < 0.6 else (second, first)), sizes)(random, scale)


def any_strokes(random: np.random.Generator, scale: float) -> Pixels:
    """Return lines of a random width."""
    return strokes(int(random.integers(1, 6)), float(random.uniform(1, 4)))(random, scale)


def any_halftone(random: np.random.Generator, scale: float) -> Pixels:
    """Return a halftone of a random pitch, at one random angle or three."""
    angles = random.uniform(0, 90, 3)
    return halftone(float(random.uniform(3.5, 9)), tuple(angles[: random.choice((1, 3))]))(random, scale)


def any_sprites(random: np.random.Generator, side: int) -> Pixels:
    """Return sprites of a random size, whose pixels are squares of 1, 1 or 2 pixels."""
    factor = int(random.choice((1, 1, 2)))
    small = sprites(int(random.integers(6, 20)), int(random.integers(1, 5)))(random, -(-side // factor))
    return np.kron(small, np.ones((factor, factor, 1), np.uint8))[:side, :side]


def any_palette(random: np.random.Generator, side: int) -> Pixels:
    """Return a scene in 4 to 32 of its colours, by Floyd and Steinberg."""
    scene = Image.fromarray((255 * scene_of(random, side)).astype(np.uint8))
    palette = scene.quantize(int(random.integers(4, 33)), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(scene.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


HIGH_MAKERS: dict[str, tuple[HighMaker, ...]] = {
    "text": (
        text((0, 0, 0), (255, 255, 255), (12, 14, 20)),
        text((230, 230, 230), (20, 24, 40), (13, 16)),
        text((180, 30, 30), (255, 250, 235), (14, 28)),
        *(window,) * 2,
        *(any_text,) * 4,
        *(sparse_text,) * 4,
    ),
    "line art": (
        strokes(1, 1.2),
        strokes(1, 2.5),
        strokes(4, 1.6),
        *(shapes,) * 2,
        *(any_strokes,) * 4,
        flow_chart,
        bars,
        patches(True),
        patches(False),
        shaded,
        hatched,
    ),
    "halftone": (
        halftone(4.5, (45,)),
        halftone(6, (45,)),
        halftone(5.5, (15, 75, 45)),
        halftone(8, (15, 75, 45)),
        *(any_halftone,) * 5,
    ),
}
LOW_MAKERS: dict[str, tuple[LowMaker, ...]] = {
    "pixel art": (sprites(8, 1), sprites(14, 3), *(tiles,) * 2, large_pixels, *(any_sprites,) * 4),
    "dither": (error_diffused, ordered(2), ordered(3), ordered(4), sixteen_colors, *(any_palette,) * 3),
}
