"""Upsampling heads: the last layer of a decoder, from `channels` feature maps to an image `scale` times as large.

`DeconvHead` and `SubpixelHead` see three by three low-resolution features for each output pixel, through weights of
their own for each phase; `UpsampleHead` sees two by two at twice the size and up to three by three beyond, through one filter
that all phases share.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpsampleHead(nn.Sequential):
    """Nearest-neighbour `nn.Upsample` followed by a convolution: (N, C, H, W) to (N, out, scale*H, scale*W).

    The kernel is twice the scale less one, so that every output pixel reaches beyond the pixel that it lies in: at four times the
    size a 3x3 kernel in the middle of a pixel sees nothing else. For 3 it is 7x7, with which all reach three by three, not the middle alone.
    """

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        kernel = 7 if scale == 3 else 2 * scale - 1
        super().__init__(
            nn.Upsample(scale_factor=scale, mode="nearest"),
            nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2),
        )


class DeconvHead(nn.ConvTranspose2d):
    """One `nn.ConvTranspose2d`: (N, C, H, W) to (N, out, scale*H, scale*W).

    The kernel is three times the stride (twice for 4, which keeps the `s` models below 60 thousand parameters), so every
    output pixel is reached by equally many taps, and every filter starts as a bilinear one: no phase is favoured before
    training, which is where checkerboards come from (Odena et al., "Deconvolution and Checkerboard
    Artifacts", Distill 2016).
    """

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        kernel = (3 if scale < 4 else 2) * scale
        super().__init__(channels, out_channels, kernel, stride=scale, padding=(kernel - scale) // 2)
        with torch.no_grad():
            gain = torch.randn(channels, out_channels, 1, 1) / channels**0.5
            self.weight.copy_(gain * bilinear_kernel(kernel, scale))


class SubpixelHead(nn.Sequential):
    """A 3x3 convolution to scale² phases, then `nn.PixelShuffle`: (N, C, H, W) to (N, out, scale*H, scale*W)."""

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        super().__init__(
            nn.Conv2d(channels, out_channels * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )


HEADS: dict[str, type[UpsampleHead] | type[DeconvHead] | type[SubpixelHead]] = {
    "upsample": UpsampleHead,
    "deconv": DeconvHead,
    "subpixel": SubpixelHead,
}


class Bilinear(nn.Module):
    """(N, 3, H, W) to (N, 3, scale*H, scale*W), linear between pixel centres, edges repeated; without weights to train.

    A Resize computes each place from its index, which rounds for scales that are no power of two, and the more so the
    farther from the corner: tiles would differ from the whole. For those a transposed convolution gives every pixel
    of a phase the same weights.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.resize = scale & (scale - 1) == 0
        size = 2 * scale - scale % 2
        self.padding = scale + (size - scale) // 2
        self.register_buffer("kernel", bilinear_kernel(size, scale).expand(3, 1, size, size).clone(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Enlarge a batch of images."""
        if self.resize:
            return F.interpolate(image, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        edged = F.pad(image, (1, 1, 1, 1), mode="replicate")
        kernel: Tensor = self.get_buffer("kernel")
        return F.conv_transpose2d(edged, kernel, stride=self.scale, padding=self.padding, groups=3)


def bilinear_kernel(size: int, scale: int) -> Tensor:
    """The (size, size) filter with which a transposed convolution of stride `scale` interpolates linearly.

    A triangle of half-width `scale` around the kernel's centre (Long et al., "Fully Convolutional Networks for
    Semantic Segmentation", CVPR 2015, section 3.3), zero beyond it.
    """
    distance = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2).abs()
    triangle = (1 - distance / scale).clamp(min=0)
    return triangle[:, None] * triangle[None, :]
