"""Plans of equal tiles: which pixels go in together, and which of the result to keep.

Along an axis of `n` pixels with tiles of `t`, an inner tile's result is right except where its missing surroundings
reach: `halo` input pixels at either end. The first and the last tile lie at the picture's true border, where the
network sees what it would see in the whole picture, so there nothing is lost. The last tile is moved inwards, not
padded. Every tile has the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from upconv.runtime.contract import Contract, Halo, SizeLaw
from upconv.runtime.errors import ModelError
from upconv.runtime.session import Tensor

STEP_PX = 8
"""Sides of tiles are multiples of this, where they are not the largest allowed."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis."""

    start: int
    """First input pixel of the tile."""
    stop: int
    """One beyond the last."""
    keep_start: int
    """First input pixel whose result is kept."""
    keep_stop: int


@dataclass(frozen=True)
class Tile:
    """A tile of a picture."""

    rows: Span
    columns: Span


@dataclass(frozen=True)
class Plan:
    """How one picture is cut and put together again."""

    height: int
    width: int
    """The picture, in input pixels."""
    padded_height: int
    padded_width: int
    """The same after padding to the model's multiple and minimum."""
    scale: int
    tiles: tuple[Tile, ...]

    @property
    def waste(self) -> float:
        """Pixels that are computed per pixel that is kept."""
        computed = sum((t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in self.tiles)
        return computed / (self.height * self.width)

    def pad(self, picture: Tensor) -> Tensor:
        """(C, height, width) with its last row and column repeated up to the padded size."""
        below, right = self.padded_height - self.height, self.padded_width - self.width
        return np.pad(picture, ((0, 0), (0, below), (0, right)), mode="edge") if below or right else picture

    def cut(self, padded: Tensor, tile: Tile) -> Tensor:
        """The tile's input, (1, C, h, w), contiguous."""
        rows, columns = tile.rows, tile.columns
        return np.ascontiguousarray(padded[None, :, rows.start : rows.stop, columns.start : columns.stop])

    def new_result(self, channels: int) -> Tensor:
        """Room for the result, (channels, scale*height, scale*width)."""
        return np.empty((channels, self.height * self.scale, self.width * self.scale), np.float32)

    def paste(self, result: Tensor, tile: Tile, output: Tensor) -> None:
        """Put what is to be kept of a tile's output, (1, C, scale*h, scale*w), into its place in `result`."""
        top, bottom, above = self._place(tile.rows, self.height)
        left, right, before = self._place(tile.columns, self.width)
        result[:, top:bottom, left:right] = output[0, :, top - above : bottom - above, left - before : right - before]

    def _place(self, span: Span, length: int) -> tuple[int, int, int]:
        stop = min(span.keep_stop, length)
        return span.keep_start * self.scale, stop * self.scale, span.start * self.scale


def plan(height: int, width: int, contract: Contract, tile_px: int) -> Plan:
    """Tiles of `tile_px` input pixels a side at most, halo included, for a picture of `height` by `width`.

    Tiles are larger only where the model's minimum or a wide halo asks for it.

    Among the sides that need as few tiles, the smallest is taken, so that little is computed twice.

    A model without a finite halo gets one tile: the whole picture.
    """
    rows, columns, scale = contract.height, contract.width, contract.scale
    assert rows is not None and columns is not None  # or contract.scale would have raised
    if rows.offset or columns.offset:
        raise ModelError(
            f"{contract.name} adds {rows.offset} and {columns.offset} pixels to its output; pictures need an offset of 0"
        )
    tall, wide = _padded(height, rows), _padded(width, columns)
    if isinstance(contract.halo, Halo):
        halo = contract.halo
        row_spans = _spans(tall, tile_px, halo.top, halo.bottom, rows)
        column_spans = _spans(wide, tile_px, halo.left, halo.right, columns)
    else:
        row_spans, column_spans = [Span(0, tall, 0, tall)], [Span(0, wide, 0, wide)]
    return Plan(height, width, tall, wide, scale, tuple(Tile(r, c) for r, c in product(row_spans, column_spans)))


def _padded(length: int, law: SizeLaw) -> int:
    return -(-max(length, law.minimum) // law.multiple) * law.multiple


def _spans(length: int, tile_px: int, before: int, after: int, law: SizeLaw) -> list[Span]:
    # A model that needs a multiple may treat pixels differently by their place in it, so tiles start on multiples.
    multiple = law.multiple
    before, after = -(-before // multiple) * multiple, -(-after // multiple) * multiple
    # With less than a third of a tile to keep, a wide halo would be computed over and over.
    smallest = max(_padded(0, law), 3 * (before + after), multiple)
    side = max(tile_px // multiple * multiple, smallest)
    if length <= side:
        return [Span(0, length, 0, length)]
    return list(_overlapping(length, max(smallest, _fitted(length, side, before + after, multiple)), before, after))


def _fitted(length: int, side: int, overlap: int, multiple: int) -> int:
    """The smallest side with which as few tiles suffice as with `side`; in steps, so that pictures share shapes."""
    count = -(-(length - overlap) // (side - overlap))
    step = math.lcm(multiple, STEP_PX)
    fitted = -(-(length + (count - 1) * overlap) // count)
    return min(side, -(-fitted // step) * step)


def _overlapping(length: int, side: int, before: int, after: int) -> Iterator[Span]:
    done = 0
    while done < length:
        start = min(max(done - before, 0), length - side)
        stop = start + side
        keep_stop = length if stop == length else stop - after
        yield Span(start, stop, done, keep_stop)
        done = keep_stop
