"""How much of a checkerboard an upscaler draws: the pattern with the stride's period that uneven overlap leaves.

An image without detail has none at the period of the stride, so whatever shows there was put in by the upscaler
(Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Enlarge = Callable[[Planes], Planes]
"""(3, H, W) in [0, 1] to (3, scale*H, scale*W)."""

LEVELS = np.linspace(0, 1, 9, dtype=np.float32)
SIDE_PX = 64
MARGIN_PX = 16
"""Left out on every side: near the border an image of constant colour is not constant to a network that pads with zeros."""
PERIOD_PX = 16
"""Of the smooth test image; its ideal enlargement holds no shorter wave."""


@dataclass(frozen=True)
class Checkerboard:
    """What was measured."""

    constant_steps: float
    """Largest difference between the phases of a flat picture's enlargement, in 8-bit steps, over grey levels."""
    smooth_db: float
    """Energy at the stride's frequencies in the enlargement of a smooth wave, in dB of the wave's own."""


def measure(enlarge: Enlarge, scale: int) -> Checkerboard:
    """The checkerboard of an upscaler by `scale`."""
    return Checkerboard(
        constant_steps=max(phase_spread(inner(enlarge(flat(level)), scale), scale) for level in LEVELS) * 255,
        smooth_db=_stride_energy(inner(enlarge(wave()), scale), scale),
    )


def flat(level: float) -> Planes:
    """A picture of one grey level, (3, SIDE_PX, SIDE_PX)."""
    return np.full((3, SIDE_PX, SIDE_PX), level, np.float32)


def wave() -> Planes:
    """A picture of one smooth wave in each direction, (3, SIDE_PX, SIDE_PX)."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] * (2 * np.pi / PERIOD_PX)
    grey = 0.5 + 0.2 * np.sin(x) + 0.2 * np.sin(y)
    return np.broadcast_to(grey, (3, SIDE_PX, SIDE_PX)).astype(np.float32)


def inner(enlarged: Planes, scale: int) -> Planes:
    """An enlargement without its margin."""
    margin = MARGIN_PX * scale
    return enlarged[:, margin:-margin, margin:-margin]


def phase_spread(enlarged: Planes, scale: int) -> float:
    """The largest difference between the means of an enlargement's scale² phases, over its channels."""
    phases = [enlarged[:, row::scale, column::scale].mean(axis=(1, 2)) for row, column in product(range(scale), repeat=2)]
    return float((np.max(phases, axis=0) - np.min(phases, axis=0)).max())


def _stride_energy(enlarged: Planes, scale: int) -> float:
    plane = enlarged.mean(axis=0)
    energy = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
    rows, columns = (np.arange(length) for length in energy.shape)
    # A wave that the stride modulates appears beside the stride's frequency, at the wave's own distance from it.
    near = [_near(axis, scale, 2 * len(axis) // (PERIOD_PX * scale)) for axis in (rows, columns)]
    strides = near[0][:, None] | near[1][None, :]
    return 10 * float(np.log10(max(energy[strides].sum(), 1e-30) / energy[~strides].sum()))


def _near(bins: NDArray[np.int_], scale: int, width: int) -> NDArray[np.bool_]:
    step = len(bins) // scale
    distance = np.abs((bins + step // 2) % step - step // 2)
    base = np.minimum(bins, len(bins) - bins) <= width
    near: NDArray[np.bool_] = (distance <= width) & ~base
    return near
