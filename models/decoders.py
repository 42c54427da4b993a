"""Decoders as tutorials build them: GANs, an autoencoder, segmentation and single layers.

Decoders without trained weights start from a fixed seed, so that every export of a name gives the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEED = 0


class Generator(nn.Module):
    """Three strided convolutions that downsample, and three bilinear layers that upsample by two.

    The input is (N, C, H, W), the output (N, 3, H, W) in [-1, 1]. Height and width must be multiples of 8. `form` is
    `module` for one shared `nn.Upsample`, or `function` for `F.interpolate`; both compute the same function.
    """

    def __init__(self, form: str = "module", in_channels: int = 3) -> None:
        super().__init__()
        if form not in ("module", "function"):
            raise ValueError(f"form must be module or function, not {form!r}")
        self.form = form
        encoder: list[nn.Module] = []
        for index, (a, b) in enumerate(pairwise([in_channels, 32, 64, 128])):
            encoder += [nn.ReflectionPad2d(1), nn.Conv2d(a, b, 3, stride=2)]
            if index < 2:
                encoder += [nn.BatchNorm2d(b), nn.ReLU()]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(128, 64, 1), nn.BatchNorm2d(64), nn.ReLU()),
                nn.Sequential(nn.Conv2d(64, 32, 1), nn.BatchNorm2d(32), nn.ReLU()),
                nn.Sequential(nn.Conv2d(32, 3, 1), nn.Tanh()),
            ]
        )
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, image: Tensor) -> Tensor:
        """Encode and decode a batch of images."""
        features: Tensor = self.encoder(image)
        for layer in self.decoder:
            features = layer(self._doubled(features))
        return features

    def _doubled(self, features: Tensor) -> Tensor:
        if self.form == "function":
            return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
        doubled: Tensor = self.upsample(features)
        return doubled


class Net(nn.Module):
    """A classifier whose ten scores are upsampled like an image of one pixel: (N, 3, 32, 32) to (N, 10, 2, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2)), *(nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2))
        )
        self.scores = nn.Sequential(nn.Linear(16 * 6 * 6, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
        self.upsample = nn.UpsamplingBilinear2d(scale_factor=2)

    def forward(self, image: Tensor) -> Tensor:
        """Return the upsampled scores of a batch of images."""
        scores: Tensor = self.scores(self.features(image).flatten(1))
        enlarged: Tensor = self.upsample(scores[:, :, None, None])
        return enlarged


class Autoencoder(nn.Module):
    """An encoder to latents at an eighth of the size, and a decoder of three `nn.ConvTranspose2d`.

    `part` selects what a call computes: `encoder` (N, 3, H, W) to (N, latent, H/8, W/8), `decoder` (N, latent, h, w) to
    (N, 3, 8h, 8w), or `both`, for training: pictures of any size to pictures of the same size.
    """

    def __init__(self, channels: int = 24, latent: int = 16, part: str = "both") -> None:
        super().__init__()
        if part not in ("encoder", "decoder", "both"):
            raise ValueError(f"part must be encoder, decoder or both, not {part!r}")
        self.part = part
        widths = [3, channels, 2 * channels, 4 * channels]
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = [nn.Conv2d(latent, widths[-1], 3, padding=1)]
        for a, b in pairwise(widths):
            encoder += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.ReLU()]
        for a, b in pairwise(reversed(widths)):
            decoder += [nn.ReLU(), nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)]
        self.encoder = nn.Sequential(*encoder, nn.Conv2d(widths[-1], latent, 3, padding=1))
        self.decoder = nn.Sequential(*decoder)

    def forward(self, batch: Tensor) -> Tensor:
        """Encode or decode a batch, or both."""
        if self.part == "decoder":
            return self._decoded(batch)
        if self.part == "encoder":
            latents: Tensor = self.encoder(batch)
            return latents
        height, width = batch.shape[2:]
        whole = F.pad(batch, (0, -width % 8, 0, -height % 8), mode="replicate")
        return self._decoded(self.encoder(whole))[..., :height, :width]

    def _decoded(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.decoder(latents)
        return pictures


class ConditionalGenerator(nn.Module):
    """A generator of small grey images from noise and a class: (N, latent + classes) to (N, 1, 28, 28).

    The input is the noise, then the class as a one-hot vector. The output is in [-1, 1].
    """

    def __init__(self, latent: int = 100, classes: int = 10, channels: int = 32) -> None:
        super().__init__()
        self.channels = channels
        self.project = nn.Linear(latent + classes, 4 * channels * 7 * 7)
        self.decoder = nn.Sequential(
            *(nn.BatchNorm2d(4 * channels), nn.ReLU()),
            *(nn.ConvTranspose2d(4 * channels, channels, 4, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1), nn.Tanh()),
        )

    def forward(self, condition: Tensor) -> Tensor:
        """Generate a batch of images."""
        features = self.project(condition).view(-1, 4 * self.channels, 7, 7)
        images: Tensor = self.decoder(features)
        return images


def dcgan(latent: int = 100, channels: int = 32) -> nn.Module:
    """Return DCGAN's generator with fewer channels: (N, latent, 1, 1) to (N, 3, 64, 64) in [-1, 1].

    See Radford et al., "DCGAN", ICLR 2016, figure 1.
    """
    widths = [latent, 8 * channels, 4 * channels, 2 * channels, channels]
    layers: list[nn.Module] = []
    for index, (a, b) in enumerate(pairwise(widths)):
        stride, padding = (1, 0) if index == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(a, b, 4, stride=stride, padding=padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(channels, 3, 4, stride=2, padding=1), nn.Tanh())


def fcn(classes: int = 21, channels: int = 32) -> nn.Module:
    """Return a segmentation network: (N, 3, H, W) to (N, classes, H, W), for multiples of 8.

    It computes features at an eighth of the size, scores by a 1x1 convolution, and upsamples them by bilinear
    interpolation. See Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015.
    """
    body: list[nn.Module] = []
    for a, b in pairwise([3, channels, 2 * channels, 4 * channels]):
        body += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*body, nn.Conv2d(4 * channels, classes, 1), nn.Upsample(scale_factor=8, mode="bilinear"))


def transposed_conv() -> nn.Module:
    """Return one `nn.ConvTranspose2d`: (N, 32, H, W) to (N, 64, 2H, 2W)."""
    return nn.ConvTranspose2d(32, 64, 4, stride=2, padding=1)


_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "autoencoder": Autoencoder,
    "cgan": ConditionalGenerator,
    "dcgan": dcgan,
    "fcn": fcn,
    "generator": Generator,
    "net": Net,
    "transposed-conv": transposed_conv,
}


def seeded(kind: str, **arguments: Any) -> nn.Module:
    """Return a decoder whose random weights are always the same. The state of torch's generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return _MAKERS[kind](**arguments)
