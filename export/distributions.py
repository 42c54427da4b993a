"""The test inputs: photographs, a gradient, noise, extremes of the range, a constant, an impulse, and the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from upconv.export.backends import Array
from upconv.export.pictures import PHOTOGRAPH, PHOTOGRAPHS
from upconv.export.sizes import Shape, Shapes
from upconv.runtime.contract import Pixels

SEED = 0

SHIFT_PX = 7
"""The shift between two items of a batch that continues the example."""


@dataclass(frozen=True)
class TrialInput:
    """One set of input arrays for a model."""

    distribution: str
    arrays: tuple[Array, ...]

    @property
    def shape(self) -> Shape:
        """The shape of the first array."""
        return tuple(self.arrays[0].shape)

    def __str__(self) -> str:
        return f"{self.distribution} {'x'.join(map(str, self.shape))}"


def trial_inputs(example: Sequence[Array], shapes: Sequence[Shapes], pixels: Pixels) -> list[TrialInput]:
    """Return noise in every size, and each other distribution in the first and the last size.

    `example` gives the types, and the bounds of integer inputs. Floating-point inputs lie within `pixels`.
    """
    random = np.random.default_rng(SEED)
    ends = list(dict.fromkeys([shapes[0], shapes[-1]])) if shapes else []
    kinds = [("uniform", s) for s in shapes] + [(name, s) for name in DISTRIBUTIONS if name != "uniform" for s in ends]
    return [
        TrialInput(name, tuple(_drawn(name, x, shape, pixels, random) for x, shape in zip(example, chosen, strict=True)))
        for name, chosen in kinds
    ]


def likely_inputs(example: Sequence[Array], shapes: Sequence[Shapes], pixels: Pixels) -> list[TrialInput]:
    """Return inputs as the model gets them in use, one for each of `shapes`, and a gradient in the first size.

    An array of 1 or 3 channels, (N, C, H, W), holds photographs, in a range that includes that of the example. Another array
    is the example, continued to the size, if that holds values other than zero, and noise otherwise. Integers lie within the
    example.
    """
    random = np.random.default_rng(SEED)
    cases = [("likely", chosen) for chosen in shapes]
    pictures = any(_kind(x, shape) == "photograph" for x, shape in zip(example, shapes[0], strict=True))
    cases += [("gradient", shapes[0])] if pictures else []
    return [
        TrialInput(name, tuple(_likely(name, x, shape, pixels, random) for x, shape in zip(example, chosen, strict=True)))
        for name, chosen in cases
    ]


def unlikely_inputs(example: Sequence[Array], shapes: Sequence[Shapes], pixels: Pixels) -> list[TrialInput]:
    """Return noise in the first and the last size, and extremes of the range and the example in the first."""
    random = np.random.default_rng(SEED)
    cases = dict.fromkeys([("uniform", shapes[0]), ("uniform", shapes[-1]), ("extremes", shapes[0])])
    inputs = [
        TrialInput(name, tuple(_drawn(name, x, shape, pixels, random) for x, shape in zip(example, chosen, strict=True)))
        for name, chosen in cases
    ]
    continues = tuple(continued(x, shape) for x, shape in zip(example, shapes[0], strict=True))
    return [*inputs, TrialInput("example", continues)] if any(x.any() for x in example) else inputs


def _kind(example: Array, shape: Shape) -> str:
    if example.dtype.kind != "f":
        return "uniform"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "photograph"
    return "example" if example.any() else "uniform"


def _likely(name: str, example: Array, shape: Shape, pixels: Pixels, random: np.random.Generator) -> Array:
    kind = _kind(example, shape)
    if kind == "example":
        return continued(example, shape)
    return _drawn(name if kind == "photograph" else kind, example, shape, pixels, random)


def continued(example: Array, shape: Shape) -> Array:
    """Return the example, cut or mirrored to `shape`; each further item of the batch is shifted along the last axis."""
    if not shape:
        return example
    cut = example[tuple(slice(0, length) for length in shape)]
    whole: Array = np.pad(cut, [(0, length - have) for length, have in zip(shape, cut.shape, strict=True)], "symmetric")
    if whole.ndim > 1:
        for item in range(len(cut), len(whole)):
            whole[item] = np.roll(whole[item], SHIFT_PX * item, axis=-1)
    return whole


def _drawn(name: str, example: Array, shape: Shape, pixels: Pixels, random: np.random.Generator) -> Array:
    if example.dtype.kind == "f":
        part = np.asarray((DISTRIBUTIONS | PICTURES)[name](shape, random), np.float32)
        low, high = _range(example, pixels)
        return np.asarray(part * np.float32(high - low) + np.float32(low), example.dtype)
    least, most = int(example.min(initial=0)), int(example.max(initial=1))
    return np.asarray(random.integers(least, most, shape, endpoint=True), example.dtype)


def _range(example: Array, pixels: Pixels) -> tuple[float, float]:
    """Return the range of the pixels, extended to that of an example that holds values other than zero."""
    if not example.any():
        return pixels.low, pixels.high
    return min(pixels.low, float(example.min())), max(pixels.high, float(example.max()))


def _photograph(shape: Shape, random: np.random.Generator) -> Array:
    """Return one crop of the photograph per batch item. A small photograph is mirrored, missing channels are repeated."""
    pixels = _pixels(PHOTOGRAPH)
    if len(shape) != 4:
        return np.resize(pixels, shape)
    return np.stack([_crop(pixels, shape[1:], random) for _ in range(shape[0])])


def _photographs(shape: Shape, random: np.random.Generator) -> Array:
    """Return a crop of any of the photographs per batch item."""
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    chosen = random.integers(len(paths), size=shape[0])
    return np.stack([_crop(_pixels(paths[n]), shape[1:], random) for n in chosen])


def _crop(pixels: Array, shape: Shape, random: np.random.Generator) -> Array:
    missing = (max(0, n - side) for n, side in zip(shape[1:], pixels.shape[1:], strict=True))
    whole = np.pad(pixels, [(0, 0), *((0, n) for n in missing)], "symmetric")
    top, left = (int(random.integers(0, side - n, endpoint=True)) for n, side in zip(shape[1:], whole.shape[1:], strict=True))
    return np.resize(whole[:, top : top + shape[1], left : left + shape[2]], shape)


@cache
def _pixels(path: Path) -> Array:
    from upconv.runtime import codecs
    from upconv.runtime.tiled_picture import samples_to_tensor

    return samples_to_tensor(codecs.read(path).samples, Pixels())


def _gradient(shape: Shape, random: np.random.Generator) -> Array:
    """Return a ramp from one corner to the other, in another direction for each channel of each batch item."""
    rows, columns = np.meshgrid(*(np.linspace(0, 1, n, dtype=np.float32) for n in shape[2:]), indexing="ij")
    weights = random.random((*shape[:2], 1, 1), np.float32)
    return weights * rows + (1 - weights) * columns


def _impulse(shape: Shape, random: np.random.Generator) -> Array:
    """Return zeros with a one in the middle of each batch item."""
    array = np.zeros(shape, np.float32)
    middle: tuple[Any, ...] = (..., *(n // 2 for n in shape[1:]))
    array[middle] = 1
    return array


DISTRIBUTIONS: dict[str, Callable[[Shape, np.random.Generator], Array]] = {
    "uniform": lambda shape, random: random.random(shape, np.float32),
    "photograph": _photograph,
    "extremes": lambda shape, random: random.integers(0, 2, shape).astype(np.float32),
    "constant": lambda shape, random: np.full(shape, 0.6, np.float32),
    "impulse": _impulse,
}
"""Functions that draw values from 0 to 1, by name. The constant is the 8-bit value 153, so that rounding cannot change it."""

PICTURES: dict[str, Callable[[Shape, np.random.Generator], Array]] = {"likely": _photographs, "gradient": _gradient}
"""Functions that draw the pictures of `likely_inputs`, by name."""
