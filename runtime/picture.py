"""Decoded pictures: their samples and their metadata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ParameterError

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""Pixels as integers of 8 or 16 bits, with the layout (H, W, C)."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B in BT.601 luma."""


@dataclass(frozen=True)
class ColorCodes:
    """A colour space as code points of ITU-T H.273, for which no ICC profile stands, such as BT.2020 PQ."""

    primaries: int
    """Code of the primaries."""
    curve: int
    """Code of the transfer characteristics."""
    full_range: bool = True
    """True if black is 0 and white the largest sample."""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a picture, which the result keeps."""

    icc: bytes | None = None
    """ICC profile of the colours. `None`: sRGB, if there are no codes."""
    codes: ColorCodes | None = None
    """Colour space as codes. `None`: as the profile states."""
    pixels_per_mm: tuple[float, float] | None = None
    """Resolution along x and y, in pixels per millimetre. `None` if the file states none."""
    fields: tuple[tuple[str, int, Any], ...] = ()
    """EXIF, XMP, IPTC and texts: name, libvips' type and value."""
    bits: int | None = None
    """Bits per sample in the file, if they are between 8 and 16. `None` otherwise."""
    lossless: bool = False
    """True if the file is a WebP without loss."""
    jpeg_quality: int | None = field(default=None, compare=False)
    """Estimated quality of a JPEG file, from 1 to 100. `None` if it is no JPEG, or if it has no table of luma."""

    def denser(self, across: float, down: float) -> Metadata:
        """Return the metadata with the resolution multiplied by `across` along x and `down` along y.

        The printed size of an upscaled picture thus stays.
        """
        if self.pixels_per_mm is None:
            return self
        x, y = self.pixels_per_mm
        return replace(self, pixels_per_mm=(x * across, y * down))

    def stripped(self) -> Metadata:
        """Return the metadata without EXIF, XMP, IPTC and texts; the profile and the resolution stay."""
        return replace(self, fields=())


@dataclass(frozen=True)
class Picture:
    """Pixels of 8 or 16 bits, upright, grey or RGB, with or without alpha."""

    samples: Samples
    """(H, W, C): 1 channel is grey, 2 are grey and alpha, 3 are RGB, 4 are RGB and alpha."""
    format: str = "png"
    """The format that it was read from or is written in: jpeg, png, webp, avif, tiff or gif."""
    metadata: Metadata = Metadata()
    """The metadata of the file. The default is empty."""
    conversions: tuple[Conversion, ...] = field(default=())
    """Properties of the picture that could not be kept so far, as phrases."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 3 or not 1 <= self.samples.shape[2] <= 4 or 0 in self.samples.shape:
            raise ParameterError(f"expected pixels of shape (height, width, 1 to 4 channels), got {self.samples.shape}")
        if self.samples.dtype not in (np.uint8, np.uint16):
            raise ParameterError(f"expected pixels of type uint8 or uint16, got {self.samples.dtype}")

    @property
    def height(self) -> int:
        """The number of rows."""
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.samples.shape[1])

    @property
    def has_alpha(self) -> bool:
        """True if the last channel is opacity."""
        return self.samples.shape[2] in (2, 4)

    @property
    def color(self) -> Samples:
        """The grey or RGB channels, (H, W, 1 or 3)."""
        return self.samples[..., :-1] if self.has_alpha else self.samples

    @property
    def alpha(self) -> Samples | None:
        """The opacity, (H, W, 1); `None` if there is no alpha channel."""
        return self.samples[..., -1:] if self.has_alpha else None

    @property
    def white(self) -> int:
        """The largest sample value: 255 or 65535."""
        return int(np.iinfo(self.samples.dtype).max)

    def with_samples(self, samples: Samples) -> Picture:
        """Return the picture with other samples."""
        return replace(self, samples=samples)

    def noting(self, *conversions: Conversion) -> Picture:
        """Return the picture with more conversions."""
        return replace(self, conversions=(*self.conversions, *conversions)) if conversions else self
