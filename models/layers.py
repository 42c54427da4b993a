"""Upsampling heads: the last layers of an upscaler, which turn features into an image `scale` times as large.

In `DeconvHead` and `SubpixelHead`, each output pixel depends on three by three low-resolution features, and each phase has its
own weights. In `UpsampleHead`, all phases share one filter. There, an output pixel depends on two by two features if the scale
is two, and on up to three by three if it is larger.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpsampleHead(nn.Sequential):
    """Nearest `nn.Upsample`, then a convolution: (N, C, H, W) to (N, out, scale*H, scale*W).

    The kernel size is twice the scale minus one, so that every output pixel depends on more than one input pixel. At scale
    4, a 3x3 kernel in the middle of a pixel would depend on that pixel only. At scale 3 the kernel is 7x7: then all output
    pixels depend on three by three input pixels.
    """

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        kernel = 7 if scale == 3 else 2 * scale - 1
        super().__init__(
            nn.Upsample(scale_factor=scale, mode="nearest"),
            nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2),
        )


class DeconvHead(nn.ConvTranspose2d):
    """One `nn.ConvTranspose2d`: (N, C, H, W) to (N, out, scale*H, scale*W).

    The kernel size is three times the stride (twice for 4, which keeps the `s` models below 60 thousand parameters).
    Therefore every output pixel sums the same number of products. Every filter starts as a bilinear one, so that all phases
    are equal before training. Unequal phases cause checkerboards (Odena et al., "Deconvolution and Checkerboard Artifacts",
    Distill 2016).
    """

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        kernel = (3 if scale < 4 else 2) * scale
        super().__init__(channels, out_channels, kernel, stride=scale, padding=(kernel - scale) // 2)
        with torch.no_grad():
            gain = torch.randn(channels, out_channels, 1, 1) / channels**0.5
            self.weight.copy_(gain * bilinear_kernel(kernel, scale))


class SubpixelHead(nn.Sequential):
    """A 3x3 convolution to scale² phases, then `nn.PixelShuffle`.

    The input is (N, C, H, W), the output (N, out, scale*H, scale*W).
    """

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
    """Bilinear interpolation without trainable weights: (N, 3, H, W) to (N, 3, scale*H, scale*W).

    It is linear between pixel centres and repeats the edges. A Resize computes each position from its index. For a scale
    that is not a power of two, this rounds, and the error grows with the index, so that tiles would differ from the whole
    picture. For such scales, a transposed convolution gives every pixel of a phase the same weights.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.resize = scale & (scale - 1) == 0
        size = 2 * scale - scale % 2
        self.padding = scale + (size - scale) // 2
        self.register_buffer("kernel", bilinear_kernel(size, scale).expand(3, 1, size, size).clone(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale a batch of images."""
        if self.resize:
            return F.interpolate(image, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        edged = F.pad(image, (1, 1, 1, 1), mode="replicate")
        kernel: Tensor = self.get_buffer("kernel")
        return F.conv_transpose2d(edged, kernel, stride=self.scale, padding=self.padding, groups=3)


def bilinear_kernel(size: int, scale: int) -> Tensor:
    """Return the (size, size) filter of a transposed convolution that interpolates linearly.

    The stride of the convolution is `scale`. The filter is a triangle of half-width `scale` around the kernel's centre, and zero outside (Long et al., "Fully Convolutional
    Networks for Semantic Segmentation", CVPR 2015, section 3.3).
    """
    distance = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2).abs()
    triangle = (1 - distance / scale).clamp(min=0)
    return triangle[:, None] * triangle[None, :]
