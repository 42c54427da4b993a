"""The makers of text, line art and halftones for the figures of docs/model-choice.md. No threshold was set on them.

Text is set in DejaVu and WenQuanYi, which Pillow must find among the fonts of the system (`apt install fonts-dejavu fonts-wqy-microhei`).
"""

from __future__ import annotations

import numpy as np
from benchmarks.model_choice.canvas import SIDE_PX, SUPERSAMPLED, HighMaker, canvas
from PIL import Image, ImageFont

from upconv.models.training.data import Pixels

_PROSE = [
    "It",
    "was",
    "a",
    "bright",
    "cold",
    "day",
    "in",
    "April,",
    "and",
    "rain",
    "fell",
    "on",
    "Zürich;",
    "nobody",
    "had",
    "expected",
    "37",
    "visitors",
    "at",
    "once.",
    "Figure",
    "4.2",
    "shows",
    "x",
    "=",
    "(a",
    "+",
    "b)",
    "/",
    "2",
    "for",
    "every",
    "k,",
    "whereas",
    "Jack's",
    "quiz",
    "(see",
    "p.",
    "108)",
    "asks",
    "why.",
]
_CODE = (
    "for (int i = 0; i < n; ++i) {",
    "    sum += weights[i] * x[i];",
    "}",
    "def area(r): return 3.14 * r**2",
    "SELECT id, name FROM users;",
    "if not found: raise KeyError",
)


def _font(name: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size)


def _smooth(image: Image.Image) -> Pixels:
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def sentence(random: np.random.Generator, words: int) -> str:
    """Return some words of prose."""
    start = int(random.integers(0, len(_PROSE)))
    return " ".join((_PROSE * 3)[start : start + words])


def paragraphs(font: str, size_px: float, ink: tuple[int, ...], paper: tuple[int, ...]) -> HighMaker:
    """Return what sets paragraphs with a heading, in a size of low-resolution pixels."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = canvas(paper)
        top, line = 3 * scale, 0
        while top < SIDE_PX:
            size = size_px * scale * (1.6 if line % 7 == 0 else 1)
            draw.text((5 * scale, top), sentence(random, 20), ink, _font(font, size))
            top, line = top + 1.35 * size * (1.4 if line % 7 == 6 else 1), line + 1
        return np.asarray(image)

    return make


def code(random: np.random.Generator, scale: float) -> Pixels:
    """Return an editor in dark colours, with numbers of lines."""
    image, draw = canvas((30, 31, 34))
    draw.rectangle((0, 0, 22 * scale, SIDE_PX), (43, 45, 48))
    for line in range(30):
        top = (3 + 16 * line) * scale
        color = ((206, 142, 109), (188, 190, 196), (106, 171, 115))[int(random.integers(0, 3))]
        draw.text((4 * scale, top), str(line + 8), (96, 99, 102), _font("DejaVuSansMono.ttf", 11 * scale))
        draw.text((28 * scale, top), _CODE[int(random.integers(0, 6))], color, _font("DejaVuSansMono.ttf", 12 * scale))
    return np.asarray(image)


def chinese(random: np.random.Generator, scale: float) -> Pixels:
    """Return lines of Chinese characters."""
    image, draw = canvas((252, 252, 250))
    signs = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过"
    for line in range(30):
        words = "".join(signs[int(n)] for n in random.integers(0, len(signs), 40))
        draw.text((4 * scale, (4 + 22 * line) * scale), words, (30, 30, 36), _font("wqy-microhei.ttc", 15 * scale))
    return np.asarray(image)


def table(random: np.random.Generator, scale: float) -> Pixels:
    """Return a table of figures with thin frames and striped rows."""
    image, draw = canvas((255, 255, 255))
    for row in range(30):
        top = 18 * row * scale
        fill = (60, 72, 88) if row == 0 else (240, 244, 250) if row % 2 else (255, 255, 255)
        draw.rectangle((0, top, SIDE_PX, top + 18 * scale), fill, (200, 204, 210), max(1, round(scale)))
        for column in range(8):
            value = f"{random.uniform(0, 2000):.2f}" if row else f"Q{column + 1} net"
            ink = (255, 255, 255) if row == 0 else (40, 44, 52)
            draw.text(((4 + 54 * column) * scale, top + 3 * scale), value, ink, _font("DejaVuSansCondensed.ttf", 11 * scale))
            draw.line((54 * column * scale, 0, 54 * column * scale, SIDE_PX), (200, 204, 210), max(1, round(scale)))
    return np.asarray(image)


def web_page(random: np.random.Generator, scale: float) -> Pixels:
    """Return a page of the web: a bar with a gradient, round buttons, links and grey text."""
    image, draw = canvas((255, 255, 255))
    for row in range(round(34 * scale)):
        share = row / (34 * scale)
        draw.line((0, row, SIDE_PX, row), (round(20 + 60 * share), round(90 + 40 * share), round(200 - 30 * share)))
    draw.text((8 * scale, 7 * scale), "Daily Herald", (255, 255, 255), _font("DejaVuSerif-Bold.ttf", 18 * scale))
    for block in range(8):
        top = (42 + 66 * block) * scale
        draw.text((8 * scale, top), sentence(random, 7), (20, 80, 190), _font("DejaVuSans-Bold.ttf", 14 * scale))
        for line in range(2):
            draw.text(
                (8 * scale, top + (18 + 14 * line) * scale),
                sentence(random, 14),
                (90, 90, 90),
                _font("DejaVuSans.ttf", 11 * scale),
            )
        box = (8 * scale, top + 47 * scale, 70 * scale, top + 62 * scale)
        draw.rounded_rectangle(box, 6 * scale, (230, 90, 40))
        draw.text((18 * scale, top + 48 * scale), "More", (255, 255, 255), _font("DejaVuSans.ttf", 11 * scale))
    return np.asarray(image)


def plan(random: np.random.Generator, scale: float) -> Pixels:
    """Return a plan of a building: thick walls, thin measures, doors as quarter circles."""
    image, draw = canvas((255, 255, 255), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for _ in range(max(8, round(90 / scale))):
        x, y, length = (float(n) for n in random.uniform(0, 1, 3) * (side, side, 90 * unit))
        wide = float(random.choice((1, 1, 3)))
        end = (x + length, y) if random.random() < 0.5 else (x, y + length)
        draw.line((x, y, *end), (20, 20, 20), round(wide * unit))
        radius = 14 * unit
        draw.arc((x - radius, y - radius, x + radius, y + radius), 0, 90, (90, 90, 90), round(unit))
    return _smooth(image)


def plot(random: np.random.Generator, scale: float) -> Pixels:
    """Return a plot: a grid, axes, coloured curves and points."""
    image, draw = canvas((255, 255, 255), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for place in np.arange(20 * unit, side, 28 * unit):
        draw.line((place, 0, place, side), (210, 210, 210), round(unit))
        draw.line((0, place, side, place), (210, 210, 210), round(unit))
    for number in range(6):
        color = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (0, 0, 0))[number]
        heights = side / 2 + np.cumsum(random.normal(0, 9 * unit, 80))
        points = [(float(x), float(y)) for x, y in zip(np.linspace(0, side, 80), heights, strict=True)]
        draw.line(points, color, round(1.6 * unit), joint="curve")
        for x, y in points[::6]:
            draw.ellipse((x - 3 * unit, y - 3 * unit, x + 3 * unit, y + 3 * unit), color)
    return _smooth(image)


def map_of_regions(random: np.random.Generator, scale: float) -> Pixels:
    """Return a map: flat regions with borders, and rivers."""
    image, draw = canvas((190, 215, 235), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for _ in range(max(5, round(40 / scale))):
        x, y = (float(n) for n in random.uniform(0, side, 2))
        corners = np.sort(random.uniform(0, 2 * np.pi, 9))
        reach = random.uniform(15, 45, 9) * unit
        outline = [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(corners, reach, strict=True)]
        color = tuple(int(n) for n in random.integers(170, 250, 3))
        draw.polygon(outline, color)
        draw.line([*outline, outline[0]], (120, 90, 90), round(1.2 * unit), joint="curve")
    return _smooth(image)


def comic(random: np.random.Generator, scale: float) -> Pixels:
    """Return faces in flat colours with heavy outlines and hatching."""
    image, draw = canvas((255, 232, 120), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for start in np.arange(0, 2 * side, 7 * unit):
        draw.line((start, 0, start - side, side), (240, 190, 70), round(1.5 * unit))
    for _ in range(max(4, round(26 / scale))):
        x, y = (float(n) for n in random.uniform(0, side, 2))
        size, skin = float(random.uniform(16, 40)) * unit, tuple(int(n) for n in random.integers(120, 256, 3))
        draw.ellipse((x - size, y - size, x + size, y + 1.2 * size), skin, (0, 0, 0), round(3 * unit))
        for eye in (-0.4, 0.4):
            draw.ellipse(
                (x + (eye - 0.18) * size, y - 0.4 * size, x + (eye + 0.18) * size, y),
                (255, 255, 255),
                (0, 0, 0),
                round(1.5 * unit),
            )
        draw.arc((x - size / 2, y, x + size / 2, y + 0.8 * size), 10, 170, (160, 20, 20), round(2 * unit))
    return _smooth(image)


def blueprint(random: np.random.Generator, scale: float) -> Pixels:
    """Return white lines on blue: gears and concentric circles."""
    image, draw = canvas((24, 60, 130), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for _ in range(max(4, round(24 / scale))):
        x, y = (float(n) for n in random.uniform(0, side, 2))
        size, teeth = float(random.uniform(15, 50)) * unit, int(random.integers(8, 20))
        turn = np.linspace(0, 2 * np.pi, 4 * teeth + 1)
        reach = size * (1 + 0.12 * (np.arange(4 * teeth + 1) // 2 % 2))
        draw.line(
            [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(turn, reach, strict=True)],
            (230, 240, 255),
            round(1.4 * unit),
        )
        for share in (0.3, 0.7):
            draw.ellipse(
                (x - share * size, y - share * size, x + share * size, y + share * size), None, (230, 240, 255), round(unit)
            )
    return _smooth(image)


def brush(random: np.random.Generator, scale: float) -> Pixels:
    """Return strokes of a brush, whose width changes along the way."""
    image, draw = canvas((248, 246, 240), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    along = np.linspace(0, 1, 160)
    for _ in range(max(6, round(50 / scale))):
        start, bend, end = random.uniform(0, 1, (3, 2)) * 90 * unit + random.uniform(-30 * unit, side, 2)
        for share in along:
            x, y = (1 - share) ** 2 * start + 2 * share * (1 - share) * bend + share**2 * end
            radius = (0.6 + 2.4 * np.sin(np.pi * share)) * unit
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), (25, 22, 30))
    return _smooth(image)


def sheet_music(random: np.random.Generator, scale: float) -> Pixels:
    """Return staves of five thin lines with notes."""
    image, draw = canvas((255, 253, 246), SUPERSAMPLED)
    unit, side = scale * SUPERSAMPLED, SIDE_PX * SUPERSAMPLED
    for top in np.arange(12 * unit, side, 62 * unit):
        for line in range(5):
            draw.line((0, top + 7 * line * unit, side, top + 7 * line * unit), (60, 60, 60), max(1, round(0.8 * unit)))
        for x in np.arange(10 * unit, side, 17 * unit):
            y = top + 3.5 * float(random.integers(0, 9)) * unit
            draw.ellipse((x - 4.5 * unit, y - 3.2 * unit, x + 4.5 * unit, y + 3.2 * unit), (0, 0, 0))
            draw.line((x + 4 * unit, y, x + 4 * unit, y - 24 * unit), (0, 0, 0), round(1.2 * unit))
    return _smooth(image)


def gradients(random: np.random.Generator, scale: float) -> Pixels:
    """Return a poster: shapes filled with gradients, without outlines."""
    side = SIDE_PX * SUPERSAMPLED
    y, x = np.mgrid[0:side, 0:side]
    poster = np.empty((side, side, 3))
    poster[:] = random.uniform(0.5, 1, 3)
    for _ in range(max(5, round(40 / scale))):
        (cx, cy), radius = random.uniform(0, side, 2), float(random.uniform(10, 40)) * scale * SUPERSAMPLED
        inside = np.hypot(x - cx, y - cy) < radius if random.random() < 0.5 else np.maximum(abs(x - cx), abs(y - cy)) < radius
        share = ((y - cy) / radius / 2 + 0.5)[inside][:, None]
        poster[inside] = share * random.uniform(0, 1, 3) + (1 - share) * random.uniform(0, 1, 3)
    return _smooth(Image.fromarray((255 * poster).astype(np.uint8)))


def still_life(random: np.random.Generator, side: int) -> Pixels:
    """Return a shaded still life of spheres before a wall, (side, side, 3)."""
    y, x = np.mgrid[0:side, 0:side] / side
    light = 0.25 + 0.6 * (1 - y) * (0.6 + 0.4 * np.cos(3 * x + random.uniform(0, 3)))
    still = light[..., None] * random.uniform(0.5, 1, 3)
    for _ in range(5):
        (cx, cy), radius = random.uniform(0.1, 0.9, 2), float(random.uniform(0.1, 0.28))
        u, v = (x - cx) / radius, (y - cy) / radius
        inside = u**2 + v**2 < 1
        depth = np.sqrt(np.maximum(0, 1 - u**2 - v**2))
        shade = np.clip(0.15 + 0.85 * (depth * 0.7 - 0.5 * v - 0.4 * u), 0.03, 1)
        still[inside] = (shade[..., None] * random.uniform(0.3, 1, 3))[inside]
    pixels: Pixels = (255 * still.clip(0, 1)).astype(np.uint8)
    return pixels


def dots(pitch: float, angle: float, ink: tuple[int, ...], shape: str = "round") -> HighMaker:
    """Return what prints a still life in one ink: round dots, diamonds or lines, `pitch` low-resolution pixels apart."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        side = SIDE_PX * SUPERSAMPLED
        grey = np.asarray(
            Image.fromarray(still_life(random, SIDE_PX)).convert("L").resize((side, side), Image.Resampling.BICUBIC)
        )
        y, x = np.mgrid[0:side, 0:side] / (pitch * scale * SUPERSAMPLED)
        turn = np.radians(angle)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        u, v = (u - np.floor(u) - 0.5, v - np.floor(v) - 0.5)
        screen = {"round": (u**2 + v**2) * np.pi, "diamond": abs(u) + abs(v), "line": 2 * abs(v)}[shape]
        printed = np.where((screen < 1 - grey / 255)[..., None], np.array(ink), 255)
        return _smooth(Image.fromarray(printed.astype(np.uint8)))

    return make


def four_inks(pitch: float) -> HighMaker:
    """Return what prints a still life in cyan, magenta, yellow and black, each at its own angle."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        side = SIDE_PX * SUPERSAMPLED
        still = np.asarray(Image.fromarray(still_life(random, SIDE_PX)).resize((side, side), Image.Resampling.BICUBIC)) / 255
        black = 1 - still.max(2)
        amounts = [*(np.moveaxis((1 - still - black[..., None]) / np.maximum(0.01, 1 - black[..., None]), 2, 0)), black]
        y, x = np.mgrid[0:side, 0:side] / (pitch * scale * SUPERSAMPLED)
        printed = np.ones((side, side, 3))
        for amount, degrees, ink in zip(
            amounts, (105, 75, 90, 45), ((0, 0.65, 0.9), (0.9, 0, 0.5), (1, 0.92, 0), (0.1, 0.1, 0.1)), strict=True
        ):
            turn = np.radians(degrees)
            u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
            dot = ((u - np.floor(u) - 0.5) ** 2 + (v - np.floor(v) - 0.5) ** 2) * np.pi < amount
            printed[dot] *= ink
        return _smooth(Image.fromarray((255 * printed).astype(np.uint8)))

    return make


HIGH_MAKERS: dict[str, tuple[HighMaker, ...]] = {
    "text": (
        paragraphs("DejaVuSans.ttf", 12, (0, 0, 0), (255, 255, 255)),
        paragraphs("DejaVuSerif.ttf", 15, (50, 40, 30), (250, 244, 228)),
        paragraphs("DejaVuSansCondensed-Bold.ttf", 22, (255, 240, 60), (150, 20, 40)),
        paragraphs("DejaVuSerif-Italic.ttf", 18, (40, 60, 120), (225, 235, 245)),
        code,
        chinese,
        table,
        web_page,
    ),
    "line art": (plan, plot, map_of_regions, comic, blueprint, brush, gradients, sheet_music),
    "halftone": (
        dots(4, 45, (0, 0, 0)),
        dots(5, 30, (20, 40, 110)),
        dots(7, 15, (0, 0, 0)),
        dots(5, 45, (0, 0, 0), "diamond"),
        dots(6, 60, (60, 20, 20), "line"),
        dots(10, 45, (0, 0, 0)),
        four_inks(5),
        four_inks(7.5),
    ),
}
