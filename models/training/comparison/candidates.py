"""The decoders that are compared. They have the same body and differ only in the upsampling layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from upconv.models.layers import DeconvHead, SubpixelHead, UpsampleHead
from upconv.models.training.config import TrainingConfig, UpscalerConfig
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.errors import ParameterError

SCALE = 2
"""The scale of all candidates, because the layers of the articles upsample by two."""


@dataclass(frozen=True)
class Candidate:
    """An upsampling layer that is compared with others."""

    name: str
    summary: str
    """One line for the report."""
    head: Callable[[int, int], nn.Module]
    """A function of (channels, out_channels) that makes a linear layer, (N, channels, H, W) to (N, out_channels, 2*H, 2*W)."""

    def decoder(self, config: TrainingConfig) -> CompactUpscaler:
        """Return a decoder with this head and random weights.

        With the same seed, the weights of the body are the same for every candidate.
        """
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
        "nn.ConvTranspose2d, kernel 6, stride 2, initialised as bilinear filters",
        lambda c, out: DeconvHead(c, out, SCALE),
    ),
    Candidate("deconv-uneven", "nn.ConvTranspose2d, kernel 3, stride 2, torch's initialisation: overlap is uneven", _uneven),
    Candidate("deconv-k4", "nn.ConvTranspose2d, kernel 4, stride 2, torch's initialisation: overlap is even", _kernel_4),
    Candidate("subpixel", "a 3x3 convolution to four phases, then nn.PixelShuffle", lambda c, out: SubpixelHead(c, out, SCALE)),
)
"""All candidates. The others are compared with the first one."""


def named(names: str | None) -> tuple[Candidate, ...]:
    """Return the candidates of a list such as `deconv,subpixel` and the first of all, or all if it is `None`.

    Raises `ParameterError` for an unknown name.
    """
    if names is None:
        return CANDIDATES
    chosen = {CANDIDATES[0], *(find(name.strip()) for name in names.split(","))}
    return tuple(candidate for candidate in CANDIDATES if candidate in chosen)


def find(name: str) -> Candidate:
    """Return the candidate called `name`. Raises `ParameterError` if there is none."""
    for candidate in CANDIDATES:
        if candidate.name == name:
            return candidate
    raise ParameterError(f"no candidate called {name!r}; expected one of {', '.join(c.name for c in CANDIDATES)}")
