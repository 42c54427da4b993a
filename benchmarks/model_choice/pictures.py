"""Pictures of known content, as the low resolution that is upscaled and the truth that the result is compared with."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from upconv.models.training.data import Pixels, image_paths, load_image
from upconv.models.training.evaluation import middle

SIDE_PX = 432
"""The side of a result: a multiple of 1.5, 2, 3, 4, 6 and 8."""
SCALES = (1.5, 2, 3, 4, 6, 8)
_WORDS = (
    "The",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "1234567890",
    "figures",
    "&",
    "(signs)",
    "[remain]",
    "readable;",
    "Quartz,",
    "Jovial,",
    "@home",
)
_SUPERSAMPLED = 4


@dataclass(frozen=True)
class ContentPicture:
    """One picture at one scale."""

    name: str
    content: str
    """`photograph`, `text`, `line art`, `pixel art`, `halftone` or `dither`."""
    scale: float
    low: Pixels
    """The picture to upscale, (h, w, 3)."""
    truth: Pixels
    """The right result, (`SIDE_PX`, `SIDE_PX`, 3)."""

    def file(self, quality: int | None) -> bytes:
        """Return the picture as a JPEG file of this quality, or as PNG."""
        buffer = io.BytesIO()
        if quality is None:
            Image.fromarray(self.low).save(buffer, "PNG")
        else:
            Image.fromarray(self.low).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def content_pictures(photographs: Path, most: int, scale: float) -> Iterator[ContentPicture]:
    """Yield photographs of a folder, evenly chosen, and generated pictures of each kind."""
    paths = image_paths(photographs)
    for path in paths[:: max(1, len(paths) // most)][:most]:
        photograph = middle(load_image(path, sharpen=False), SIDE_PX)
        if min(photograph.size) == SIDE_PX:
            yield reduced(path.stem, "photograph", scale, np.asarray(photograph))
    for content, makers in MAKERS.items():
        for number, make in enumerate(makers):
            high = make(np.random.default_rng(100 + number), scale)
            yield reduced(f"{content} {number + 1}", content, scale, high)
    for content, low_makers in LOW_MAKERS.items():
        for number, make_low in enumerate(low_makers):
            low = make_low(np.random.default_rng(200 + number), round(SIDE_PX / scale))
            yield ContentPicture(f"{content} {number + 1}", content, scale, low, nearest(low))


def reduced(name: str, content: str, scale: float, high: Pixels) -> ContentPicture:
    """Return a picture whose low resolution is made by antialiased bicubic."""
    side = round(SIDE_PX / scale)
    low = np.asarray(Image.fromarray(high).resize((side, side), Image.Resampling.BICUBIC))
    return ContentPicture(name, content, scale, low, high)


def nearest(low: Pixels) -> Pixels:
    """Return the picture enlarged to `SIDE_PX` with every pixel as a rectangle."""
    place = ((np.arange(SIDE_PX) + 0.5) * low.shape[0] / SIDE_PX).astype(int)
    enlarged: Pixels = low[place][:, place]
    return enlarged


def _canvas(color: tuple[int, ...], factor: int = 1) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIDE_PX * factor, SIDE_PX * factor), color)
    return image, ImageDraw.Draw(image)


def text(
    ink: tuple[int, ...], paper: tuple[int, ...], sizes: tuple[int, ...]
) -> Callable[[np.random.Generator, float], Pixels]:
    """Return what writes lines of text in fonts of `sizes` low-resolution pixels."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = _canvas(paper)
        top = 4.0
        while top < SIDE_PX:
            size = float(random.choice(sizes)) * scale
            line = " ".join(random.choice(_WORDS, 12))
            draw.text((6, top), line, ink, ImageFont.load_default(size))
            top += 1.3 * size
        return np.asarray(image)

    return make


def window(random: np.random.Generator, scale: float) -> Pixels:
    """Return a window of a program: bars, buttons and coloured text."""
    image, draw = _canvas((240, 240, 243))
    draw.rectangle((0, 0, SIDE_PX, 22 * scale), (40, 90, 160))
    draw.text((6, 4 * scale), "Document - Editor", (255, 255, 255), ImageFont.load_default(12 * scale))
    for row in range(1, 20):
        top = 12 + row * 24 * scale
        color = tuple(int(n) for n in random.integers(20, 200, 3))
        draw.rectangle((8, top, 8 + 40 * scale, top + 16 * scale), (255, 255, 255), (120, 120, 120), max(1, round(scale)))
        draw.text((12, top + scale), "Cancel", color, ImageFont.load_default(11 * scale))
        draw.text((16 + 44 * scale, top), " ".join(random.choice(_WORDS, 8)), color, ImageFont.load_default(12 * scale))
    return np.asarray(image)


def strokes(colors: int, width: float) -> Callable[[np.random.Generator, float], Pixels]:
    """Return what draws smooth lines and circles, `width` low-resolution pixels wide."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        image, draw = _canvas((255, 255, 255), _SUPERSAMPLED)
        side, thick = SIDE_PX * _SUPERSAMPLED, max(1, round(width * scale * _SUPERSAMPLED))
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
    image, draw = _canvas((250, 245, 230), _SUPERSAMPLED)
    side, thick = SIDE_PX * _SUPERSAMPLED, max(1, round(1.5 * scale * _SUPERSAMPLED))
    for number in range(30):
        x, y = (float(n) for n in random.uniform(0, side, 2))
        radius = float(random.uniform(6, 30)) * scale * _SUPERSAMPLED
        color = tuple(int(n) for n in random.integers(30, 255, 3))
        box = (x - radius, y - radius, x + radius, y + radius)
        (draw.ellipse if number % 2 else draw.rectangle)(box, color, (20, 20, 20), thick)
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def _scene(random: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Return a smooth scene of gradients and blobs, (side, side, 3) from 0 to 1."""
    y, x = np.mgrid[0:side, 0:side] / side
    planes = []
    for _ in range(3):
        plane = random.uniform(0.2, 0.8) + random.uniform(-0.4, 0.4) * x + random.uniform(-0.4, 0.4) * y
        for _ in range(5):
            (cx, cy), radius = random.uniform(0, 1, 2), random.uniform(0.08, 0.3)
            plane = plane + random.uniform(-0.5, 0.5) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)
        planes.append(plane)
    return np.stack(planes, 2).clip(0.02, 0.98)


def halftone(pitch: float, angles: tuple[float, ...]) -> Callable[[np.random.Generator, float], Pixels]:
    """Return what prints a scene with round dots, `pitch` low-resolution pixels apart, one angle or one for each ink."""

    def make(random: np.random.Generator, scale: float) -> Pixels:
        side = SIDE_PX * _SUPERSAMPLED
        scene = np.kron(_scene(random, SIDE_PX), np.ones((_SUPERSAMPLED, _SUPERSAMPLED, 1)))
        y, x = np.mgrid[0:side, 0:side] / (pitch * scale * _SUPERSAMPLED)
        printed = np.empty((side, side, 3))
        for channel in range(3):
            angle = np.radians(angles[channel % len(angles)])
            u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            screen = 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v))
            printed[..., channel] = scene[..., channel if len(angles) > 1 else 0] > screen
        image = Image.fromarray((255 * printed).astype(np.uint8))
        return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))

    return make


def sprites(cell: int, shades: int) -> Callable[[np.random.Generator, int], Pixels]:
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
    scene = Image.fromarray((255 * _scene(random, side)).astype(np.uint8))
    return np.asarray(scene.convert("L").convert("1").convert("RGB"))


def ordered(levels: int) -> Callable[[np.random.Generator, int], Pixels]:
    """Return what dithers a scene to `levels` per channel by Bayer's 4x4 matrix."""

    def make(random: np.random.Generator, side: int) -> Pixels:
        matrix = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
        threshold = np.tile(matrix, (-(-side // 4), -(-side // 4)))[:side, :side, None]
        scene = _scene(random, side) if levels > 2 else _scene(random, side)[..., :1].repeat(3, 2)
        return (255 // (levels - 1) * np.floor(scene * (levels - 1) + threshold)).astype(np.uint8)

    return make


def sixteen_colors(random: np.random.Generator, side: int) -> Pixels:
    """Return a scene in its sixteen best colours, by Floyd and Steinberg."""
    scene = Image.fromarray((255 * _scene(random, side)).astype(np.uint8))
    palette = scene.quantize(16, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(scene.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


MAKERS: dict[str, tuple[Callable[[np.random.Generator, float], Pixels], ...]] = {
    "text": (
        text((0, 0, 0), (255, 255, 255), (12, 14, 20)),
        text((230, 230, 230), (20, 24, 40), (13, 16)),
        text((180, 30, 30), (255, 250, 235), (14, 28)),
        window,
    ),
    "line art": (strokes(1, 1.2), strokes(1, 2.5), strokes(4, 1.6), shapes),
    "halftone": (halftone(4.5, (45,)), halftone(6, (45,)), halftone(5.5, (15, 75, 45)), halftone(8, (15, 75, 45))),
}
"""The pictures whose truth is drawn, and whose low resolution is a reduction of it."""
LOW_MAKERS: dict[str, tuple[Callable[[np.random.Generator, int], Pixels], ...]] = {
    "pixel art": (sprites(8, 1), sprites(14, 3), tiles, large_pixels),
    "dither": (error_diffused, ordered(2), ordered(3), sixteen_colors),
}
"""The pictures whose every pixel is drawn. The truth shows each as a rectangle."""
