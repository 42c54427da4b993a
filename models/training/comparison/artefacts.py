"""The checkerboard of a decoder: its strength and its appearance."""

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
    """The measured checkerboard of one decoder, before or after training."""

    constant_steps: float
    """Largest difference between the phases of an upscaled flat picture, in 8-bit steps."""
    smooth_db: float
    """Energy at the stride's frequencies in an upscaled smooth wave, in dB relative to the wave."""
    detail_db: float
    """The same for the output of the head only, relative to that output. It excludes the bilinear base."""
    phase_imbalance: float
    """Inequality of the four phases of the head's kernel. It is 0 if their absolute weights have equal sums."""
    spectrum_db: tuple[float, ...]
    """Spectrum of the upscaled wave along rows and columns, from 0 to half a cycle per pixel. The wave has 0 dB."""


@dataclass(frozen=True)
class Responses:
    """The outputs of a decoder that show its checkerboard: one should be constant, one should be smooth."""

    flat: Planes
    """The upscaled flat picture whose phases differ most, minus its mean."""
    smooth: Planes
    """The detail that the head adds to the bilinearly upscaled smooth wave."""


def artefacts(decoder: CompactUpscaler) -> Artefacts:
    """Measure the checkerboard of a decoder with its current weights."""
    whole = checkerboard.measure(_planes(decoder), SCALE)
    return Artefacts(
        constant_steps=whole.constant_steps,
        smooth_db=whole.smooth_db,
        detail_db=checkerboard.measure(_planes(decoder.detail), SCALE).smooth_db,
        phase_imbalance=phase_imbalance(kernel(decoder.head, decoder.lift.out_channels), (SCALE, SCALE)),
        spectrum_db=_spectrum(checkerboard.inner(_planes(decoder)(checkerboard.wave()), SCALE)),
    )


def responses(decoder: CompactUpscaler) -> Responses:
    """Return the outputs of a decoder for a flat and a smooth picture, without the margin."""
    enlarge = _planes(decoder)
    flats = [checkerboard.inner(enlarge(checkerboard.flat(level)), SCALE) for level in checkerboard.LEVELS]
    worst = max(flats, key=lambda planes: checkerboard.phase_spread(planes, SCALE))
    return Responses(
        flat=worst - worst.mean(axis=(1, 2), keepdims=True),
        smooth=checkerboard.inner(_planes(decoder.detail)(checkerboard.wave()), SCALE),
    )


def kernel(head: nn.Module, channels: int) -> NDArray[np.float32]:
    """Return the kernel, (channels, out, k, k), of the transposed convolution of stride 2 that equals a head.

    The head must be linear. The kernel is its response to a single pixel of value 1, without the bias. k is a multiple of
    the stride, and at least the size of every head's own kernel.
    """
    side = 9
    impulse = torch.zeros(channels, channels, side, side)
    impulse[torch.arange(channels), torch.arange(channels), side // 2, side // 2] = 1
    with torch.inference_mode():
        result: NDArray[np.float32] = (head(impulse) - head(torch.zeros(1, channels, side, side))).numpy()
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
    harmonics = energy[::waves]  # the wave and its copies at the stride's frequencies; there is no energy between them
    return tuple((10 * np.log10(np.maximum(harmonics / harmonics.max(), 1e-12))).tolist())
