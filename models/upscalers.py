"""The trained super-resolution decoders: one body, and a head that is the only thing in which they differ."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from upconv.models.layers import HEADS, Bilinear


class CompactUpscaler(nn.Module):
    """RGB in [0, 1], (N, 3, H, W), to RGB `scale` times as large, (N, 3, scale*H, scale*W); for sizes from 1x1 up.

    A 3x3 convolution lifts the image to `channels` features, `depth` 3x3 convolutions with ReLU refine them, a skip
    connection around every `block` of them, and the head adds the missing detail to the bilinearly enlarged input.
    The output is not clamped: that is done once, where pixels are made.
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
        """Enlarge a batch of images."""
        enlarged: Tensor = self.base(image)
        return self.detail(image) + enlarged

    def detail(self, image: Tensor) -> Tensor:
        """What the head adds to the bilinearly enlarged images."""
        features = skipped = self.lift(image)
        for number, layer in enumerate(self.body, start=1):
            if number % self.block and number < len(self.body):
                features = F.relu(layer(features))
            else:
                features = skipped = F.relu(layer(features) + skipped)
        detail: Tensor = self.head(features)
        return detail
