"""The distances of outputs from the exact ones, in several units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upconv.export.backends import Array
from upconv.export.verdict import Outputs
from upconv.runtime.contract import Pixels

SMALLEST = 0.1
"""Smallest value, relative to the output's largest, for which relative errors and units in the last place are measured."""


@dataclass(frozen=True)
class Measures:
    """Distances from the exact outputs, the largest over all inputs and outputs."""

    max_abs: float
    """Absolute error."""
    max_relative: float
    """Error per unit of the exact value, if that is not close to zero (`SMALLEST`)."""
    max_ulp: float
    """Error in float32's units in the last place, for the same values."""
    psnr_db: float | None
    """PSNR in dB of the worst input and output, or `None` if nothing differs. The peak is the range of pixels or of values."""
    max_8bit: int | None
    """Largest difference after rounding to 8-bit pixels, or `None` if the output is not a picture."""


def measured(exact: Sequence[Outputs], got: Sequence[Outputs], pixels: Pixels | None) -> Measures:
    """Return the distances of `got` from `exact`, each one list of outputs per input. `pixels` is set for pictures."""
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
    """Return the peak signal-to-noise ratio in dB, or `None` if nothing differs."""
    difference = got.astype(np.float64) - exact.astype(np.float64)
    square = float(np.mean(difference**2)) if difference.size else 0.0
    if square == 0:
        return None
    peak = pixels.high - pixels.low if pixels else float(np.ptp(exact)) or float(np.abs(exact).max()) or 1.0
    return 10 * math.log10(peak**2 / square)


def quantised(values: Array, pixels: Pixels) -> Array:
    """Return values as 8-bit pixels."""
    scaled: Array = np.rint((values.astype(np.float64) - pixels.low) / (pixels.high - pixels.low) * 255)
    return scaled.clip(0, 255).astype(np.uint8)


def _scaled(exact: Array, got: Array) -> tuple[float, float]:
    """Return the largest relative error and the largest error in units in the last place."""
    size = np.abs(exact).astype(np.float64)
    counted = size > SMALLEST * size.max(initial=0.0)
    difference = np.abs(got.astype(np.float64) - exact)[counted]
    return _largest(difference / size[counted]), _largest(difference / np.spacing(size[counted].astype(np.float32)))


def _steps(exact: Array, got: Array, pixels: Pixels) -> int:
    return int(np.abs(quantised(exact, pixels).astype(int) - quantised(got, pixels).astype(int)).max(initial=0))


def _largest(values: Array) -> float:
    return float(values.max(initial=0.0))
