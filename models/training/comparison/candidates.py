"""The decoders that are compared: one body, and an upsampling layer that is the only thing in which they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from upconv.models.layers import DeconvHead, SubpixelHead, UpsampleHead
from upconv.models.training.config import TrainingConfig, UpscalerConfig
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.errors import ParameterError

SCALE = 2
"""The articles' own layers double; all candidates do."""


@dataclass(frozen=True)
class Candidate:
    """An upsampling layer under comparison."""

    name: str
    summary: str
    """One line for the report."""
    head: Callable[[int, int], nn.Module]
    """From (channels, out_channels) to a linear layer, (N, channels, H, W) to (N, out_channels, 2*H, 2*W)."""

    def decoder(self, config: TrainingConfig) -> CompactUpscaler:
        """A decoder with this head and random weights; under one seed, the body's are the same for every candidate."""
        assert isinstance(config.model, UpscalerConfig)
        decoder = CompactUpscaler(scale=SCALE, channels=config.model.channels, depth=config.model.depth)
        decoder.head = self.head(config.model.channels, 3)
        return decoder


def _bilinear(channels: int, out_channels: int) -> nn.Module:
    upsample = nn.Upsample(scale_factor=SCALE, mode="bilinear", align_corners=False)
    return nn.Sequential(upsample, nn.Conv2d(channels, out_channels, 3, padding=1))


def _uneven(channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(channels, out_channels, 3, stride=SCALE, padding=1, output_padding=1)


def _kernel_4(channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(channels, out_channels, 4, stride=SCALE, padding=1)


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("upsample", "nearest nn.Upsample, then a 3x3 convolution", lambda c, out: UpsampleHead(c, out, SCALE)),
    Candidate("upsample-bilinear", "bilinear nn.Upsample, then a 3x3 convolution", _bilinear),
    Candidate(
        "deconv",
        "nn.ConvTranspose2d, kernel 6, stride 2, starting as bilinear filters",
        lambda c, out: DeconvHead(c, out, SCALE),
    ),
    Candidate("deconv-uneven", "nn.ConvTranspose2d, kernel 3, stride 2, torch's own random start: overlap is uneven", _uneven),
    Candidate("deconv-k4", "nn.ConvTranspose2d, kernel 4, stride 2, torch's own random start: overlap is even", _kernel_4),
    Candidate("subpixel", "a 3x3 convolution to four phases, then nn.PixelShuffle", lambda c, out: SubpixelHead(c, out, SCALE)),
)
"""The first is what the others are compared with."""


def named(names: str | None) -> tuple[Candidate, ...]:
    """The candidates in a list such as `deconv,subpixel`, the first of all added; every one where there is no list."""
    if names is None:
        return CANDIDATES
    wanted = {CANDIDATES[0], *(find(name.strip()) for name in names.split(","))}
    return tuple(candidate for candidate in CANDIDATES if candidate in wanted)


def find(name: str) -> Candidate:
    """The candidate called `name`; raises `ParameterError` naming those there are."""
    for candidate in CANDIDATES:
        if candidate.name == name:
            return candidate
    raise ParameterError(f"no candidate called {name!r}; there are {', '.join(c.name for c in CANDIDATES)}")
