"""The degradation of photographs on the web: blur, noise and JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from upconv.models.training.data import Pixels


@dataclass(frozen=True)
class Degradation:
    """The degradation of low-resolution patches. Each kind applies to its share of them, independently."""

    blur_share: float = 0.3
    blur_px: tuple[float, float] = (0.2, 0.7)
    """Bounds of the Gaussian's standard deviation, in pixels."""
    noise_share: float = 0.3
    noise_steps: tuple[float, float] = (0.5, 4.0)
    """Bounds of the noise's standard deviation, in 8-bit steps."""
    jpeg_share: float = 0.75
    jpeg_quality: tuple[int, int] = (60, 95)
    """Bounds of the JPEG quality."""

    def apply(self, pixels: Pixels, random: np.random.Generator) -> Pixels:
        """Return a degraded copy of (h, w, 3). It is the same for the same state of `random`."""
        if random.random() < self.blur_share:
            blur = ImageFilter.GaussianBlur(random.uniform(*self.blur_px))
            pixels = np.asarray(Image.fromarray(pixels).filter(blur))
        if random.random() < self.noise_share:
            noise = random.normal(0, random.uniform(*self.noise_steps), pixels.shape)
            pixels = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
        if random.random() < self.jpeg_share:
            low, high = self.jpeg_quality
            # A shift, because a patch is not always aligned with JPEG's 8x8 blocks.
            top, left = (int(n) for n in random.integers(0, 8, 2))
            shifted = np.pad(pixels, ((top, 0), (left, 0), (0, 0)), mode="edge")
            pixels = jpeg(shifted, int(random.integers(low, high + 1)), int(random.choice([0, 2], p=[0.2, 0.8])))[top:, left:]
        return pixels


def jpeg(pixels: Pixels, quality: int, subsampling: int = 2) -> Pixels:
    """Return (h, w, 3) after JPEG compression. `subsampling` is that of Pillow: 0 is 4:4:4, 2 is 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
