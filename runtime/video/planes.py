"""The planes of a frame as samples of R, G and B of 16 bits, and back.

Some rows at a time are converted, so that their floats stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from upconv.runtime.picture import Samples
from upconv.runtime.spool import part
from upconv.runtime.video.chroma import REACH, ChromaAxis, Plane, with_border
from upconv.runtime.video.color_matrix import ColorMatrix, Levels, SampleType, rounded

_WHITE = np.float32(65535)
_BLOCK_PX = 65_536
"""Pixels that are converted at a time: so few that their floats stay in the processor's cache, and below the MiB of free memory
that the allocator keeps (`memory.lower_trim_threshold`)."""


@dataclass(frozen=True)
class PlaneLayout:
    """The planes of a frame: Y alone, or Y, Cb and Cr."""

    bits: int
    """Bits per sample. Samples of more than 8 bits take two bytes."""
    chroma: tuple[ChromaAxis, ChromaAxis] | None
    """The chroma samples across and down. `None`: there are none."""

    def shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """Return the rows and columns of each plane of a frame of `width` x `height` pixels."""
        if self.chroma is None:
            return ((height, width),)
        across, down = self.chroma
        small = down.count(height), across.count(width)
        return (height, width), small, small

    def frame_bytes(self, width: int, height: int) -> int:
        """Return the number of bytes of a frame."""
        return sum(rows * columns for rows, columns in self.shapes(width, height)) * (1 if self.bits == 8 else 2)


@dataclass(frozen=True)
class PlaneConversion:
    """The conversion of planes of one layout to samples and back."""

    layout: PlaneLayout
    matrix: ColorMatrix

    @property
    def levels(self) -> Levels:
        """The numbers of black, white and colour in the planes."""
        return self.matrix.levels

    def samples(self, planes: Sequence[Samples]) -> Samples:
        """Return samples (H, W, 3) of 16 bits for the planes Y, Cb and Cr, or (H, W, 1) for Y alone.

        Colours beyond black, white and R, G and B are clipped.
        """
        height, width = planes[0].shape
        result: Samples = np.empty((1 if self.layout.chroma is None else 3, height, width), np.uint16)
        for rows, chroma_rows in self._blocks(height, width):
            luma = planes[0][rows].astype(np.float32)
            colors = self._enlarged(planes[1:], chroma_rows, luma.shape)
            channels = self.matrix.to_rgb(luma, *colors) if colors else (self.matrix.to_grey(luma),)
            for number, channel in enumerate(channels):
                channel *= _WHITE
                result[number, rows] = rounded(channel, 65535, np.uint16)
        return result.transpose(1, 2, 0)

    def planes(self, samples: Samples) -> list[Samples]:
        """Return the planes Y, Cb and Cr for samples (H, W, 3) of 16 bits, or Y alone for samples (H, W, 1)."""
        height, width = samples.shape[:2]
        canvas = PlaneCanvas(self, width, height)
        step = rows_at_once(width)
        for top in range(0, height, step):
            block = part(samples, top, min(height, top + step), 0, width)
            canvas.write(top, 0, [block[..., number] * (1 / _WHITE) for number in range(block.shape[2])])
        return canvas.planes()

    def chroma(self, blue: Plane, red: Plane) -> list[Samples]:
        """Return the planes Cb and Cr, stored, for B - Y and R - Y of each pixel (H, W)."""
        assert self.layout.chroma is not None
        across, down = self.layout.chroma
        shape = down.count(blue.shape[0]), across.count(blue.shape[1])
        result = [_empty(shape, self.levels.stored) for _ in range(2)]
        for _, rows in self._blocks(*blue.shape):
            differences = (self._reduced(plane, rows, shape[1]) for plane in (blue, red))
            for plane, color in zip(result, self.matrix.from_differences(*differences), strict=True):
                plane[rows] = self.stored(color)
        return result

    def stored(self, plane: Plane) -> Samples:
        """Return a plane as samples of the layout's bits. The plane may be changed."""
        return rounded(plane, self.levels.largest, self.levels.stored)

    def _reduced(self, plane: Plane, rows: slice, count: int) -> Plane:
        """Return some rows of chroma of `count` samples, for a plane with a sample for each pixel: new ones, or its own rows."""
        assert self.layout.chroma is not None
        across, down = self.layout.chroma
        high = with_border(plane, 0, *_widened(rows, down.factor)) if down.factor > 1 else plane[rows]
        plane = down.reduced(high, 0) if down.factor > 1 else high
        if across.factor > 1:
            plane = across.reduced(with_border(plane, 1, *_widened(slice(0, count), across.factor)), 1)
        return plane

    def _enlarged(self, planes: Sequence[Samples], rows: slice, shape: tuple[int, ...]) -> list[Plane]:
        """Return some rows of B - Y and R - Y for the chroma planes, with the rows and columns of the luma, (H, W)."""
        if self.layout.chroma is None:
            return []
        across, down = self.layout.chroma
        reach = REACH if down.factor > 1 else 0
        parts = (with_border(plane, 0, rows.start - reach, rows.stop + reach).astype(np.float32) for plane in planes)
        colors = []
        for color in self.matrix.to_differences(*parts):
            if reach:
                color = down.enlarged(color, 0)
            if across.factor > 1:
                color = across.enlarged(with_border(color, 1, -REACH, color.shape[1] + REACH), 1)
            colors.append(color[: shape[0], : shape[1]])
        return colors

    def _blocks(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        """Yield the rows of luma and those of chroma that are converted at a time."""
        down = ChromaAxis() if self.layout.chroma is None else self.layout.chroma[1]
        count, step = down.count(height), max(1, rows_at_once(width) // down.factor)
        for top in range(0, count, step):
            bottom = min(count, top + step)
            yield slice(top * down.factor, min(height, bottom * down.factor)), slice(top, bottom)


class PlaneCanvas:
    """The planes of a frame that is being computed. Threads may write different blocks at the same time.

    It can be used for one frame after the other, because new memory for each takes time.
    """

    def __init__(self, conversion: PlaneConversion, width: int, height: int) -> None:
        self._conversion = conversion
        self._shape = height, width
        self._luma = _empty(self._shape, conversion.levels.stored)
        count = 0 if conversion.layout.chroma is None else 2
        self._colors: list[Plane] = [np.empty((height, width), np.float32) for _ in range(count)]

    def write(self, top: int, left: int, channels: Sequence[Plane]) -> None:
        """Write R, G and B from 0 to 1, or grey, as Y, Cb and Cr at row `top` and column `left`."""
        matrix, (height, width) = self._conversion.matrix, channels[0].shape
        place = slice(top, top + height), slice(left, left + width)
        luma, *colors = matrix.from_rgb(*channels) if self._colors else (matrix.from_grey(channels[0]),)
        self._luma[place] = self._conversion.stored(luma)
        for plane, color in zip(self._colors, colors, strict=True):
            plane[place] = color

    def planes(self) -> list[Samples]:
        """Return the planes of the layout, after the last block is written. The canvas is then ready for the next frame."""
        luma, self._luma = self._luma, _empty(self._shape, self._conversion.levels.stored)
        return [luma, *self._conversion.chroma(*self._colors)] if self._colors else [luma]


def rows_at_once(width: int) -> int:
    """Return the number of rows of this width that are converted at a time."""
    return max(8, _BLOCK_PX // width)


def _widened(rows: slice, factor: int) -> tuple[int, int]:
    """Return the rows of luma that some rows of chroma depend on."""
    return (rows.start - REACH) * factor, (rows.stop + REACH) * factor


def _empty(shape: tuple[int, int], kind: SampleType) -> Samples:
    samples: Any = np.empty(shape, kind)
    return cast("Samples", samples)
