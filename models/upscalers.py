"""The trained super-resolution decoders. They have the same body and differ only in the head."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from upconv.models.layers import HEADS, Bilinear


class CompactUpscaler(nn.Module):
    """An upscaler of RGB images in [0, 1]: (N, 3, H, W) to (N, 3, scale*H, scale*W), from 1x1 up.

    A 3x3 convolution computes `channels` features. `depth` 3x3 convolutions with ReLU refine them, with a skip connection
    around every `block` of them. The head adds the missing detail to the bilinearly upscaled input. The output is not
    clamped, because the runtime clamps it when it makes pixels.
    """

    def __init__(self, head: str = "upsample", scale: int = 2, channels: int = 32, depth: int = 5, block: int = 5) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"head must be one of {', '.join(HEADS)}, not {head!r}")
        self.scale, self.block = scale, block
        self.base = Bilinear(scale)
        self.lift = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.head: nn.Module = HEADS[head](channels, 3, scale)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale a batch of images."""
        base: Tensor = self.base(image)
        return self.detail(image) + base

    def detail(self, image: Tensor) -> Tensor:
        """Return the detail that the head adds to the bilinearly upscaled images."""
        features = skipped = self.lift(image)
        for number, layer in enumerate(self.body, start=1):
            if number % self.block and number < len(self.body):
                features = F.relu(layer(features))
            else:
                features = skipped = F.relu(layer(features) + skipped)
        detail: Tensor = self.head(features)
        return detail
