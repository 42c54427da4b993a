"""The checkerboard that a decoder draws, and how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from upconv.export.lint import phase_imbalance
from upconv.models.training import checkerboard
from upconv.models.training.checkerboard import Enlarge, Planes
from upconv.models.training.comparison.candidates import SCALE
from upconv.models.upscalers import CompactUpscaler


@dataclass(frozen=True)
class Artefacts:
    """What `checkerboard` measures, of one decoder at one time."""

    constant_steps: float
    """Largest difference between the phases of a flat picture's enlargement, in 8-bit steps."""
    smooth_db: float
    """Energy at the stride's frequencies in the enlargement of a smooth wave, in dB of the wave's own."""
    detail_db: float
    """The same of the head's share alone, in dB of that share: the bilinear base, which has no checkerboard, hides none."""
    phase_imbalance: float
    """How unevenly the head's kernel feeds the four phases: 0 where their absolute weights have equal sums."""
    spectrum_db: tuple[float, ...]
    """Of the enlarged wave, along rows and columns, from 0 to half a cycle a pixel; 0 dB is the wave itself."""


@dataclass(frozen=True)
class Responses:
    """How a decoder's checkerboard looks: what should be constant, and what should be smooth."""

    flat: Planes
    """The enlargement of the flat picture on which the phases differ most, less its mean."""
    smooth: Planes
    """What the head adds to the bilinear enlargement of a smooth wave."""


def artefacts(decoder: CompactUpscaler) -> Artefacts:
    """Measure a decoder as it is now."""
    whole = checkerboard.measure(_planes(decoder), SCALE)
    return Artefacts(
        constant_steps=whole.constant_steps,
        smooth_db=whole.smooth_db,
        detail_db=checkerboard.measure(_planes(decoder.detail), SCALE).smooth_db,
        phase_imbalance=phase_imbalance(kernel(decoder.head, decoder.lift.out_channels), (SCALE, SCALE)),
        spectrum_db=_spectrum(checkerboard.inner(_planes(decoder)(checkerboard.wave()), SCALE)),
    )


def responses(decoder: CompactUpscaler) -> Responses:
    """What a decoder makes of pictures without detail, the margin left out."""
    enlarge = _planes(decoder)
    flats = [checkerboard.inner(enlarge(checkerboard.flat(level)), SCALE) for level in checkerboard.LEVELS]
    worst = max(flats, key=lambda planes: checkerboard.phase_spread(planes, SCALE))
    return Responses(
        flat=worst - worst.mean(axis=(1, 2), keepdims=True),
        smooth=checkerboard.inner(_planes(decoder.detail)(checkerboard.wave()), SCALE),
    )


def kernel(head: nn.Module, channels: int) -> NDArray[np.float32]:
    """The kernel, (channels, out, k, k), of the transposed convolution of stride 2 that a linear head equals.

    It is what the head makes of one lit pixel, without its bias; k is a multiple of the stride, as large as any head's.
    """
    side = 9
    lit = torch.zeros(channels, channels, side, side)
    lit[torch.arange(channels), torch.arange(channels), side // 2, side // 2] = 1
    with torch.inference_mode():
        result: NDArray[np.float32] = (head(lit) - head(torch.zeros(1, channels, side, side))).numpy()
    return result


def _planes(function: Callable[[Tensor], Tensor]) -> Enlarge:
    def enlarge(planes: Planes) -> Planes:
        with torch.inference_mode():
            result: Planes = function(torch.from_numpy(planes)[None])[0].numpy()
        return result

    return enlarge


def _spectrum(enlarged: Planes) -> tuple[float, ...]:
    plane = enlarged.mean(axis=0, dtype=np.float64)
    plane -= plane.mean()
    energy = np.mean([(np.abs(np.fft.rfft(lines, axis=1)) ** 2).mean(axis=0) for lines in (plane, plane.T)], axis=0)
    waves = plane.shape[0] // (checkerboard.PERIOD_PX * SCALE)
    whole = energy[::waves]  # the wave and all that the stride makes of it; between these there is nothing
    return tuple((10 * np.log10(np.maximum(whole / whole.max(), 1e-12))).tolist())
