"""The error of outputs, in absolute, relative, last-place, decibel and 8-bit units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upconv.export.backends import Array
from upconv.export.verdict import Outputs
from upconv.runtime.contract import Pixels

SMALLEST = 0.1
"""Relative and last-place errors count only values above this fraction of the largest value of the output."""


@dataclass(frozen=True)
class Measures:
    """The largest errors over all inputs and outputs."""

    max_abs: float
    """Largest absolute error."""
    max_relative: float
    """Largest error relative to the exact value, for values that are not close to zero (`SMALLEST`)."""
    max_ulp: float
    """Largest error of the same values, in units in the last place of float32."""
    psnr_db: float | None
    """PSNR of the worst output; `None` if nothing differs. The peak is the range of the pixels, or of the values of other outputs."""
    max_8bit: int | None
    """Largest difference after rounding to 8-bit pixels; `None` if the output is not a picture."""


def measured(exact: Sequence[Outputs], got: Sequence[Outputs], pixels: Pixels | None) -> Measures:
    """Return the errors of `got` against `exact`, each one list of outputs per input.

    `pixels` is the range of the first output if it is a picture, else `None`.
    """
    pairs = [pair for e, g in zip(exact, got, strict=True) for pair in zip(e, g, strict=True)]
    scaled = [_scaled(e, g) for e, g in pairs]
    levels = [psnr_db(e, g, pixels) for e, g in pairs]
    finite = [level for level in levels if level is not None]
    return Measures(
        max_abs=max((_largest(np.abs(g - e)) for e, g in pairs), default=0.0),
        max_relative=max((relative for relative, _ in scaled), default=0.0),
        max_ulp=max((ulp for _, ulp in scaled), default=0.0),
        psnr_db=min(finite, default=None),
        max_8bit=None if pixels is None else max(_steps(e[0], g[0], pixels) for e, g in zip(exact, got, strict=True)),
    )


def psnr_db(exact: Array, got: Array, pixels: Pixels | None) -> float | None:
    """Return the peak signal-to-noise ratio in dB, or `None` if nothing differs.

    PSNR = 10 log10(peak^2 / mean squared error). The peak is the range of `pixels`, or of `exact` if `pixels` is `None`.
    """
    difference = got.astype(np.float64) - exact.astype(np.float64)
    square = float(np.mean(difference**2)) if difference.size else 0.0
    if square == 0:
        return None
    peak = pixels.high - pixels.low if pixels else float(np.ptp(exact)) or float(np.abs(exact).max()) or 1.0
    return 10 * math.log10(peak**2 / square)


def as_8bit(values: Array, pixels: Pixels) -> Array:
    """Return values as 8-bit pixels, rounded and clipped."""
    scaled: Array = np.rint((values.astype(np.float64) - pixels.low) / (pixels.high - pixels.low) * 255)
    return scaled.clip(0, 255).astype(np.uint8)


def _scaled(exact: Array, got: Array) -> tuple[float, float]:
    """Return the largest relative error, and the largest error in units in the last place."""
    size = np.abs(exact).astype(np.float64)
    counted = (size > 0) & (size >= SMALLEST * size.max(initial=0.0))
    difference = np.abs(got.astype(np.float64) - exact)[counted]
    return _largest(difference / size[counted]), _largest(difference / np.spacing(size[counted].astype(np.float32)))


def _steps(exact: Array, got: Array, pixels: Pixels) -> int:
    return int(np.abs(as_8bit(exact, pixels).astype(int) - as_8bit(got, pixels).astype(int)).max(initial=0))


def _largest(values: Array) -> float:
    return float(values.max(initial=0.0))
