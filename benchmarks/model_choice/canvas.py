"""What the makers of pictures share: the size, an empty picture, words and a smooth scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from upconv.models.training.data import Pixels

SIDE_PX = 312
"""The side of a result: a multiple of 1.5, 2, 3, 4, 6 and 8, and not larger than any held-out photograph."""
SUPERSAMPLED = 4
"""Pixels of a drawing per pixel of the truth, per side, where edges are smooth."""
WORDS = (
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

HighMaker = Callable[[np.random.Generator, float], Pixels]
"""Function of a generator and a scale that returns a truth, (`SIDE_PX`, `SIDE_PX`, 3)."""
LowMaker = Callable[[np.random.Generator, int], Pixels]
"""Function of a generator and a side that returns a low resolution, (side, side, 3)."""


def canvas(color: tuple[int, ...], factor: int = 1) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty picture of `factor` times `SIDE_PX`, and what draws on it."""
    image = Image.new("RGB", (SIDE_PX * factor, SIDE_PX * factor), color)
    return image, ImageDraw.Draw(image)


def scene_of(random: np.random.Generator, side: int) -> NDArray[np.float64]:
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
