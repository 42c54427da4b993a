"""The strength of an upscaler's checkerboard: a pattern with the stride's period, caused by uneven overlap.

A flat or smooth image has no energy at the stride's frequencies. If the output has some, the upscaler added it (Odena et al.,
"Deconvolution and Checkerboard Artifacts", Distill 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Enlarge = Callable[[Planes], Planes]
"""A function from (3, H, W) in [0, 1] to (3, scale*H, scale*W)."""

LEVELS = np.linspace(0, 1, 9, dtype=np.float32)
SIDE_PX = 64
MARGIN_PX = 16
"""Input pixels that are left out on every side, because zero padding changes a flat image near the border."""
PERIOD_PX = 16
"""Period of the smooth test image. In the ideal result there is no shorter wave."""


@dataclass(frozen=True)
class Checkerboard:
    """The measured strength of a checkerboard."""

    constant_steps: float
    """Largest difference between the phases of an upscaled flat picture, in 8-bit steps, over all grey levels."""
    smooth_db: float
    """Energy at the stride's frequencies in an upscaled smooth wave, in dB relative to the wave."""


def measure(enlarge: Enlarge, scale: int) -> Checkerboard:
    """Measure the checkerboard of an upscaler by `scale`."""
    return Checkerboard(
        constant_steps=max(phase_spread(inner(enlarge(flat(level)), scale), scale) for level in LEVELS) * 255,
        smooth_db=_stride_energy(inner(enlarge(wave()), scale), scale),
    )


def flat(level: float) -> Planes:
    """Return a picture of one grey level, (3, SIDE_PX, SIDE_PX)."""
    return np.full((3, SIDE_PX, SIDE_PX), level, np.float32)


def wave() -> Planes:
    """Return a picture of one smooth wave in each direction, (3, SIDE_PX, SIDE_PX)."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] * (2 * np.pi / PERIOD_PX)
    grey = 0.5 + 0.2 * np.sin(x) + 0.2 * np.sin(y)
    return np.broadcast_to(grey, (3, SIDE_PX, SIDE_PX)).astype(np.float32)


def inner(enlarged: Planes, scale: int) -> Planes:
    """Return an upscaled picture without its margin."""
    margin = MARGIN_PX * scale
    return enlarged[:, margin:-margin, margin:-margin]


def phase_spread(enlarged: Planes, scale: int) -> float:
    """Return the largest difference between the means of the scale² phases, over all channels."""
    phases = [enlarged[:, row::scale, column::scale].mean(axis=(1, 2)) for row, column in product(range(scale), repeat=2)]
    return float((np.max(phases, axis=0) - np.min(phases, axis=0)).max())


def _stride_energy(enlarged: Planes, scale: int) -> float:
    plane = enlarged.mean(axis=0)
    energy = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
    rows, columns = (np.arange(length) for length in energy.shape)
    # If the stride modulates a wave, energy appears beside the stride's frequency, at a distance of the wave's frequency.
    near = [_near(axis, scale, 2 * len(axis) // (PERIOD_PX * scale)) for axis in (rows, columns)]
    strides = near[0][:, None] | near[1][None, :]
    return 10 * float(np.log10(max(energy[strides].sum(), 1e-30) / energy[~strides].sum()))


def _near(bins: NDArray[np.int_], scale: int, width: int) -> NDArray[np.bool_]:
    step = len(bins) // scale
    distance = np.abs((bins + step // 2) % step - step // 2)
    base = np.minimum(bins, len(bins) - bins) <= width
    near: NDArray[np.bool_] = (distance <= width) & ~base
    return near
