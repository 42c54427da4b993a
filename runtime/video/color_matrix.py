"""Conversion of Y, Cb and Cr to R, G and B and back.

The formulas are those of ITU-T H.273, with the levels of limited and of full range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from upconv.runtime.picture import Samples
from upconv.runtime.video.chroma import Plane

MatrixName = Literal["bt601", "bt709", "bt2020"]
"""A matrix between R, G, B and Y, Cb, Cr."""
HD_LINES = 720
"""The number of lines from which on a video is taken for BT.709, if nothing states its matrix."""

_WEIGHTS: dict[MatrixName, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""The parts of R and B in Y."""
SampleType = type[np.uint8] | type[np.uint16]
"""The type of a sample."""


def usual_matrix(height: int) -> MatrixName:
    """Return the matrix that players assume for a video of `height` lines: BT.601 below `HD_LINES`, BT.709 from there on."""
    return "bt709" if height >= HD_LINES else "bt601"


@dataclass(frozen=True)
class Levels:
    """The numbers of black, white and colour in the samples of a video."""

    bits: int
    """Bits per sample, from 8 to 16."""
    full_range: bool
    """True if black is 0 and white the largest sample."""

    @property
    def black(self) -> int:
        """The sample of black in Y."""
        return 0 if self.full_range else 16 << (self.bits - 8)

    @property
    def middle(self) -> int:
        """The sample of no colour in Cb and Cr."""
        return 1 << (self.bits - 1)

    @property
    def luma_span(self) -> int:
        """The difference of white and black in Y."""
        return self.largest if self.full_range else 219 << (self.bits - 8)

    @property
    def chroma_span(self) -> int:
        """The difference of the ends of Cb, and of Cr."""
        return self.largest if self.full_range else 224 << (self.bits - 8)

    @property
    def largest(self) -> int:
        """The largest sample that the bits hold."""
        return (1 << self.bits) - 1

    @property
    def stored(self) -> SampleType:
        """The type that holds a sample."""
        return np.uint8 if self.bits == 8 else np.uint16


@dataclass(frozen=True)
class ColorMatrix:
    """The conversion between Y, Cb and Cr of some levels, and R, G and B from 0 to 1. No result is rounded or clipped.

    Between the two, Cb and Cr are the differences of B and R from Y. A filter of chroma samples may come before or after them.
    """

    name: MatrixName
    levels: Levels

    def to_differences(self, blue: Plane, red: Plane) -> tuple[Plane, Plane]:
        """Return B - Y and R - Y for the planes Cb and Cr, which are changed."""
        for plane, factor in zip((blue, red), self._factors, strict=True):
            plane -= np.float32(self.levels.middle)
            plane *= np.float32(1 / factor)
        return blue, red

    def from_differences(self, blue: Plane, red: Plane) -> tuple[Plane, Plane]:
        """Return the planes Cb and Cr for B - Y and R - Y, which are changed."""
        for plane, factor in zip((blue, red), self._factors, strict=True):
            plane *= np.float32(factor)
            plane += np.float32(self.levels.middle)
        return blue, red

    def to_rgb(self, luma: Plane, blue: Plane, red: Plane) -> tuple[Plane, Plane, Plane]:
        """Return the planes R, G and B for the planes Y, B - Y and R - Y, which are changed."""
        of_red, of_blue = _WEIGHTS[self.name]
        of_green = 1 - of_red - of_blue
        grey = self.to_grey(luma)
        green = grey - blue * np.float32(of_blue / of_green)
        green -= red * np.float32(of_red / of_green)
        blue += grey
        red += grey
        return red, green, blue

    def from_rgb(self, red: Plane, green: Plane, blue: Plane) -> tuple[Plane, Plane, Plane]:
        """Return the planes Y, B - Y and R - Y for the planes R, G and B."""
        of_red, of_blue = _WEIGHTS[self.name]
        grey = green * np.float32(1 - of_red - of_blue)
        grey += red * np.float32(of_red)
        grey += blue * np.float32(of_blue)
        return self.from_grey(grey), blue - grey, red - grey

    def to_grey(self, luma: Plane) -> Plane:
        """Return the grey from 0 to 1 for the plane Y, which is changed."""
        luma -= np.float32(self.levels.black)
        luma *= np.float32(1 / self.levels.luma_span)
        return luma

    def from_grey(self, grey: Plane) -> Plane:
        """Return the plane Y for a grey from 0 to 1."""
        luma: Plane = grey * np.float32(self.levels.luma_span)
        luma += np.float32(self.levels.black)
        return luma

    @property
    def _factors(self) -> tuple[float, float]:
        """Cb for a B - Y of 1, and Cr for an R - Y of 1, without their middle."""
        of_red, of_blue = _WEIGHTS[self.name]
        return self.levels.chroma_span / (2 * (1 - of_blue)), self.levels.chroma_span / (2 * (1 - of_red))


def rounded(plane: Plane, largest: int, kind: SampleType) -> Samples:
    """Return a plane as samples (H, W) from 0 to `largest`. The plane is changed."""
    np.rint(plane, out=plane)
    np.clip(plane, 0, largest, out=plane)
    samples: Any = plane.astype(kind)
    return cast("Samples", samples)
