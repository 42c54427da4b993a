"""A decoded picture, and its way to the model's numbers and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.errors import ParameterError

Samples = NDArray[np.uint8] | NDArray[np.uint16]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B in BT.601 luma."""


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, kept for the file that is written."""

    icc: bytes | None = None
    """The ICC profile that the colours are in."""
    pixels_per_mm: tuple[float, float] | None = None
    """Resolution along x and y, where the file states one."""
    fields: tuple[tuple[str, int, Any], ...] = ()
    """EXIF, XMP, IPTC and texts as libvips holds them: name, type and value."""
    bits: int | None = None
    """Of a sample in the file, where that is between 8 and 16."""

    def denser(self, across: float, down: float) -> Metadata:
        """The same for a picture of that many times the pixels: its printed size stays."""
        if self.pixels_per_mm is None:
            return self
        x, y = self.pixels_per_mm
        return replace(self, pixels_per_mm=(x * across, y * down))

    def stripped(self) -> Metadata:
        """What it takes to show the pixels as they are meant, and nothing about their origin."""
        return replace(self, fields=())


@dataclass(frozen=True)
class Picture:
    """Pixels of 8 or 16 bits, upright, grey or RGB, with or without alpha."""

    samples: Samples
    """(H, W, C): one channel is grey, two grey and alpha, three RGB, four RGB and alpha."""
    format: str = "png"
    """What it came from or should become: jpeg, png, webp, avif, tiff, gif."""
    metadata: Metadata = Metadata()
    conversions: tuple[str, ...] = field(default=())
    """What could not be kept on the way so far, a phrase each."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 3 or not 1 <= self.samples.shape[2] <= 4 or 0 in self.samples.shape:
            raise ParameterError(f"expected pixels of shape (height, width, 1 to 4 channels), got {self.samples.shape}")
        if self.samples.dtype not in (np.uint8, np.uint16):
            raise ParameterError(f"expected pixels of type uint8 or uint16, got {self.samples.dtype}")

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.samples.shape[1])

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is opacity."""
        return self.samples.shape[2] in (2, 4)

    @property
    def color(self) -> Samples:
        """The grey or RGB channels, (H, W, 1 or 3)."""
        return self.samples[..., :-1] if self.has_alpha else self.samples

    @property
    def alpha(self) -> Samples | None:
        """Opacity, (H, W, 1), or none."""
        return self.samples[..., -1:] if self.has_alpha else None

    @property
    def white(self) -> int:
        """The largest sample: 255 or 65535."""
        return int(np.iinfo(self.samples.dtype).max)

    def with_samples(self, samples: Samples) -> Picture:
        """The same picture with other pixels."""
        return replace(self, samples=samples)

    def noting(self, *conversions: str) -> Picture:
        """The same picture, with more said about what was not kept."""
        return replace(self, conversions=(*self.conversions, *conversions))
