"""The test inputs: noise, a photograph, extremes of the range, a constant, an impulse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from upconv.export.backends import Array
from upconv.export.pictures import PHOTOGRAPH
from upconv.export.sizes import Shape, Shapes
from upconv.runtime.contract import Pixels

SEED = 0


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


def _drawn(name: str, example: Array, shape: Shape, pixels: Pixels, random: np.random.Generator) -> Array:
    if example.dtype.kind == "f":
        part = DISTRIBUTIONS[name](shape, random).astype(np.float32)
        scaled: Array = part * np.float32(pixels.high - pixels.low) + np.float32(pixels.low)
        return scaled.astype(example.dtype)
    chosen: Array = random.integers(int(example.min(initial=0)), int(example.max(initial=1)), shape, endpoint=True)
    return chosen.astype(example.dtype)


def _photograph(shape: Shape, random: np.random.Generator) -> Array:
    """Return one crop of the photograph per batch item. A small photograph is mirrored, missing channels are repeated."""
    from upconv.runtime import codecs
    from upconv.runtime.tiled_picture import samples_to_tensor

    pixels = samples_to_tensor(codecs.read(PHOTOGRAPH).samples, Pixels())
    if len(shape) != 4:
        return np.resize(pixels, shape)
    height, width = shape[2:]
    whole = np.pad(
        pixels, [(0, 0), *((0, max(0, n - side)) for n, side in zip(shape[2:], pixels.shape[1:], strict=True))], "symmetric"
    )
    crops = []
    for _ in range(shape[0]):
        top, left = (
            int(random.integers(0, side - n, endpoint=True)) for n, side in zip(shape[2:], whole.shape[1:], strict=True)
        )
        crops.append(np.resize(whole[:, top : top + height, left : left + width], shape[1:]))
    return np.stack(crops)


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
