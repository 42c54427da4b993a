"""The quality of decoders on held-out pictures, with the standard error of a difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from upconv.models.training.comparison.candidates import SCALE
from upconv.models.training.comparison.pictures import Pairs
from upconv.models.training.data import Pixels
from upconv.models.training.evaluation import psnr_y, sharpness, ssim_y
from upconv.runtime import Upscaler


@dataclass(frozen=True)
class Scores:
    """The measures of each held-out picture, in order."""

    psnr_y: tuple[float, ...]
    ssim_y: tuple[float, ...]
    sharpness: tuple[float, ...]


@dataclass(frozen=True)
class MeanScores:
    """The means of the measures over the held-out pictures."""

    psnr_y: float
    """PSNR of luma, in dB."""
    ssim_y: float
    sharpness: float
    """Mean gradient of luma, divided by that of the original. Below 1, the result is smoother."""
    psnr_gain: float
    """Mean difference from the PSNR of the first candidate, in dB."""
    psnr_gain_error: float
    """Standard error of that mean over the pictures, in dB. It does not include the effect of another seed."""


def scores(exported: Path, pairs: Pairs) -> tuple[Scores, list[Pixels]]:
    """Return the scores and the results of an exported decoder on pairs of low and high resolution.

    The decoder runs as in the service: on 8-bit pixels and in tiles.
    """
    with Upscaler(exported) as upscaler:
        results = [upscaler.upscale(low) for low, _ in pairs]
    compared = [(result, high, SCALE) for result, (_, high) in zip(results, pairs, strict=True)]
    measured = Scores(
        psnr_y=tuple(psnr_y(*pair) for pair in compared),
        ssim_y=tuple(ssim_y(*pair) for pair in compared),
        sharpness=tuple(sharpness(*pair) for pair in compared),
    )
    return measured, results


def quality(candidate: Scores, first: Scores) -> MeanScores:
    """Return the means of a candidate's scores, and its difference from the first candidate."""
    gains = [a - b for a, b in zip(candidate.psnr_y, first.psnr_y, strict=True)]
    return MeanScores(
        psnr_y=mean(candidate.psnr_y),
        ssim_y=mean(candidate.ssim_y),
        sharpness=mean(candidate.sharpness),
        psnr_gain=mean(gains),
        psnr_gain_error=stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0,
    )
