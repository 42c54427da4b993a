"""The decoders that `benchmarks/graphs.py` measures, built as in their papers and repositories, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from upconv.export.pictures import PHOTOGRAPHS
from upconv.export.sources import load_weights
from upconv.models import catalogue
from upconv.models.decoders import Generator, dcgan
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.codecs import read
from upconv.runtime.rounding import ceil_div

Shape = tuple[int, ...]


class Fsrcnn(nn.Sequential):
    """FSRCNN(56, 12, 4) x2 on luma (Dong et al., "Accelerating the Super-Resolution CNN", ECCV 2016)."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(1, 56, 5, padding=2), nn.PReLU(56), nn.Conv2d(56, 12, 1), nn.PReLU(12)]
        for _ in range(4):
            layers += [nn.Conv2d(12, 12, 3, padding=1), nn.PReLU(12)]
        layers += [nn.Conv2d(12, 56, 1), nn.PReLU(56), nn.ConvTranspose2d(56, 1, 9, stride=2, padding=4, output_padding=1)]
        super().__init__(*layers)


class Upconv7(nn.Sequential):
    """waifu2x's upconv_7: six unpadded convolutions with LeakyReLU(0.1), then one ConvTranspose2d."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for a, b in pairwise([3, 16, 32, 64, 128, 128, 256]):
            layers += [nn.Conv2d(a, b, 3), nn.LeakyReLU(0.1)]
        super().__init__(*layers, nn.ConvTranspose2d(256, 3, 4, stride=2, padding=3))


class UnetDecoder(nn.Module):
    """A U-Net's three upsampling levels with skip connections (Ronneberger et al., MICCAI 2015) and batch norm."""

    def __init__(self, widths: tuple[int, ...] = (256, 128, 64, 32), classes: int = 3) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.mix = nn.ModuleList(nn.Sequential(*_normed(2 * b, b), *_normed(b, b)) for b in widths[1:])
        self.last = nn.Conv2d(widths[-1], classes, 1)

    def forward(self, deep: Tensor, quarter: Tensor, half: Tensor, whole: Tensor) -> Tensor:
        """Decode features at an eighth of the size, with the encoder's features of each level."""
        for up, mix, skip in zip(self.up, self.mix, (quarter, half, whole), strict=True):
            deep = mix(torch.cat([up(deep), skip], dim=1))
        result: Tensor = self.last(deep)
        return result


class RrdbTail(nn.Sequential):
    """The layers after the trunk of an RRDBNet (ESRGAN, 2018).

    They are two nearest upsamplings by two, each with a convolution, then two more convolutions.
    """

    def __init__(self, channels: int = 64) -> None:
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(channels, channels, 3, padding=1)]
            layers += [nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(channels, 3, 3, padding=1)]
        super().__init__(*layers)


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU and a convolution, twice, with a shortcut: (N, a, H, W) to (N, b, H, W)."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(32, a, eps=1e-6), nn.SiLU(), nn.Conv2d(a, b, 3, padding=1))
        self.second = nn.Sequential(nn.GroupNorm(32, b, eps=1e-6), nn.SiLU(), nn.Conv2d(b, b, 3, padding=1))
        self.shortcut = nn.Identity() if a == b else nn.Conv2d(a, b, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block."""
        result: Tensor = self.shortcut(x) + self.second(self.first(x))
        return result


class VaeDecoder(nn.Sequential):
    """The upsampling blocks of a latent diffusion model's decoder, with fewer channels (Rombach et al., CVPR 2022)."""

    def __init__(self, widths: tuple[int, ...] = (128, 64, 32)) -> None:
        layers: list[nn.Module] = [nn.Conv2d(4, widths[0], 3, padding=1), ResnetBlock(widths[0], widths[0])]
        for a, b in pairwise(widths):
            layers += [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(a, a, 3, padding=1), ResnetBlock(a, b)]
        layers += [nn.GroupNorm(32, widths[-1], eps=1e-6), nn.SiLU(), nn.Conv2d(widths[-1], 3, 3, padding=1)]
        super().__init__(*layers)


class FcnHead(nn.Sequential):
    """A segmentation head: bilinear upsampling of the features by 4, then scores by a 1x1 convolution."""

    def __init__(self, channels: int = 128, classes: int = 21) -> None:
        super().__init__(
            *_normed(channels, channels),
            *(nn.Upsample(scale_factor=4, mode="bilinear"), nn.Conv2d(channels, classes, 1)),
        )


def _normed(a: int, b: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()


def _trained(name: str) -> nn.Module:
    entry = catalogue.entry(name)
    assert entry.weights is not None
    module = CompactUpscaler(**entry.arguments)
    load_weights(module, entry.weights)
    return module


@dataclass(frozen=True)
class Decoder:
    """A decoder of the suite."""

    name: str
    make: Callable[[], nn.Module]
    shapes: tuple[Shape, ...]
    """The shapes of the measured inputs."""
    body: bool = False
    """True if 3x3 convolutions take most of its time. Then int8 is measured, too."""
    trained: bool = False
    """True if it has trained weights."""

    def module(self) -> nn.Module:
        """Return the module with weights from a fixed seed, scaled so that each layer's output has mean 0 and variance 1.

        The outputs of a trained network are similar (Mishkin and Matas, "All You Need is a Good Init", ICLR 2016). Their
        signs are mixed, which matters for PRelu and int8.
        """
        torch.manual_seed(0)
        made = self.make().eval()
        if self.trained:
            return made
        hooks = [m.register_forward_hook(_normalise) for m in made.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        with torch.inference_mode():
            made(*(torch.from_numpy(x) for x in self.inputs()))
        for hook in hooks:
            hook.remove()
        return made

    def inputs(self, number: int = 0) -> list[NDArray[np.float32]]:
        """Return its inputs: a photograph of the project for a picture, noise for features."""
        random = np.random.default_rng(number)
        return [_picture(s, number) if s[1] in (1, 3) else random.standard_normal(s, np.float32) for s in self.shapes]


def _normalise(layer: nn.Conv2d | nn.ConvTranspose2d, _: tuple[Tensor, ...], made: Tensor) -> Tensor:
    """Rescale a layer's weights so that each channel of its output has mean 0 and variance 1."""
    mean, deviation = made.mean((0, 2, 3)), made.std((0, 2, 3)).clamp(min=1e-3)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if n == axis else 1 for n in range(4)]
    layer.weight.copy_(layer.weight / deviation.reshape(shape))
    if layer.bias is None:
        return made / deviation.reshape(1, -1, 1, 1)
    layer.bias.copy_((layer.bias - mean) / deviation)
    return (made - mean.reshape(1, -1, 1, 1)) / deviation.reshape(1, -1, 1, 1)


def _picture(shape: Shape, number: int) -> NDArray[np.float32]:
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))
    samples = read(photographs[number % len(photographs)]).samples.astype(np.float32) / np.float32(255)
    planes = samples.transpose(2, 0, 1) if shape[1] == 3 else samples.mean(axis=2)[None]
    tiles = [ceil_div(n, m) for n, m in zip(shape[2:], planes.shape[1:], strict=True)]
    whole = np.tile(planes, (1, *tiles))[:, : shape[2], : shape[3]]
    return np.ascontiguousarray(np.broadcast_to(whole, shape))


SUITE = (
    Decoder("fsrcnn", Fsrcnn, ((1, 1, 128, 128),)),
    Decoder("upconv_7", Upconv7, ((1, 3, 128, 128),), body=True),
    Decoder("unet-decoder", UnetDecoder, ((1, 256, 16, 16), (1, 128, 32, 32), (1, 64, 64, 64), (1, 32, 128, 128)), body=True),
    Decoder("dcgan", lambda: dcgan(channels=64), ((4, 100, 1, 1),)),
    Decoder("seeds-generator", Generator, ((1, 3, 224, 224),)),
    Decoder("rrdb-tail", RrdbTail, ((1, 64, 48, 48),), body=True),
    Decoder("vae-decoder", VaeDecoder, ((1, 4, 32, 32),), body=True),
    Decoder("fcn-head", FcnHead, ((1, 128, 32, 32),)),
    Decoder("upsample-s-x2", lambda: _trained("upsample-s-x2"), ((1, 3, 128, 128),), body=True, trained=True),
    Decoder("deconv-s-x2", lambda: _trained("deconv-s-x2"), ((1, 3, 128, 128),), body=True, trained=True),
)
