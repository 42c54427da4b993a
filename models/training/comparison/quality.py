"""How close decoders come to held-out pictures, image by image, so that small differences can be judged."""

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
    """Of each held-out picture, in order."""

    psnr_y: tuple[float, ...]
    ssim_y: tuple[float, ...]
    sharpness: tuple[float, ...]


@dataclass(frozen=True)
class MeanScores:
    """Means over the held-out pictures."""

    psnr_y: float
    """In dB."""
    ssim_y: float
    sharpness: float
    """Steepness of the result's luma per the original's: below 1 it is smoother."""
    psnr_gain: float
    """Mean over the pictures of the difference to the first candidate, in dB."""
    psnr_gain_error: float
    """The standard error of that mean: another set of pictures would move it by so much; another seed, by more yet."""


def scores(exported: Path, pairs: Pairs) -> tuple[Scores, list[Pixels]]:
    """What the exported decoder makes of pairs of low and high resolution, as it is served: in 8 bits, in tiles."""
    with Upscaler(exported) as upscaler:
        results = [upscaler.upscale(low) for low, _ in pairs]
    compared = [(result, high, SCALE) for result, (_, high) in zip(results, pairs, strict=True)]
    measured = Scores(
        psnr_y=tuple(psnr_y(*pair) for pair in compared),
        ssim_y=tuple(ssim_y(*pair) for pair in compared),
        sharpness=tuple(sharpness(*pair) for pair in compared),
    )
    return measured, results


def quality(found: Scores, first: Scores) -> MeanScores:
    """The means, beside the first candidate's."""
    gains = [a - b for a, b in zip(found.psnr_y, first.psnr_y, strict=True)]
    return MeanScores(
        psnr_y=mean(found.psnr_y),
        ssim_y=mean(found.ssim_y),
        sharpness=mean(found.sharpness),
        psnr_gain=mean(gains),
        psnr_gain_error=stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0,
    )
