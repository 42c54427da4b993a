"""Tiling plans: the equal tiles of a picture, and the part of each tile's output that is kept.

A model computes an output pixel from the input pixels around it, up to `halo` pixels per side. Each tile is cut with its
halo, and the output of the halo is thrown away. A tile at the border of the picture needs no halo there: the model pads
the tile as it pads the whole picture. The kept parts together equal the output of the whole picture.

All tiles of a plan have the same shape. The last tile of an axis is moved inwards, not padded, so it overlaps its
neighbour by more than the halo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from upconv.runtime.contract import Contract, Halo, HaloDeviation, SizeLaw
from upconv.runtime.errors import ModelError
from upconv.runtime.rounding import ceil_div, round_down, round_up
from upconv.runtime.session import Tensor

STEP_PX = 8
"""Sides of tiles are tried in steps of this many pixels, so that pictures of similar size share a tile shape."""

MAX_ASPECT = 2
"""Largest ratio of a tile's side to the side of the square tile with the same area."""

UNBOUNDED_PX = 1_000_000
"""A side in pixels that is longer than that of any tile: no limit."""

MAX_WASTE = 1.5
"""Largest number of computed pixels per kept pixel with the exact halo. Above it, a smaller halo is used if one is good
enough."""

MAX_STEPS = 0.5
"""Largest measured deviation of a smaller halo that is good enough, in 8-bit steps."""


@dataclass(frozen=True)
class TileSpan:
    """A tile along one axis."""

    start: int
    """First input pixel of the tile."""
    stop: int
    """One past the last input pixel of the tile."""
    keep_start: int
    """First input pixel whose output is kept."""
    keep_stop: int
    """One past the last input pixel whose output is kept."""

    @property
    def length(self) -> int:
        """The length of the tile in input pixels, halo included."""
        return self.stop - self.start


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture that the model computes at once."""

    rows: TileSpan
    columns: TileSpan

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in input pixels, halo included."""
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        """The number of input pixels, halo included. The cost of a tile is proportional to it."""
        return self.rows.length * self.columns.length


@dataclass(frozen=True)
class TilingAxis:
    """One axis of a picture, with the limits that the model sets for spans along it."""

    length: int
    """Length of the picture in input pixels."""
    padded: int
    """Length after padding to the model's multiple and minimum, in input pixels."""
    multiple: int
    """Lengths and starts of spans are multiples of this."""
    smallest: int
    """The shortest input that the model accepts."""
    halo: tuple[int, int] | None
    """Input pixels before and after a tile, rounded up to the multiple. `None` if the model needs the whole axis."""

    @classmethod
    def of(cls, length: int, law: SizeLaw, halo: tuple[int, int] | None) -> TilingAxis:
        """Return the axis of a picture that is `length` pixels long, for a model with this size law."""
        # The model may treat a pixel by its position modulo the multiple, so tiles start on multiples.
        aligned = None if halo is None else (round_up(halo[0], law.multiple), round_up(halo[1], law.multiple))
        return cls(length, law.fitted(length), law.multiple, law.fitted(0), aligned)

    def side(self, tile_px: int, most_px: int) -> int:
        """Return the length of equal spans: the shortest that needs no more spans than `tile_px` does.

        It exceeds `tile_px` if the model's minimum requires it, or if the halo is wide and `most_px` allows it.
        """
        if self.halo is None:
            return self.padded
        # A side of 3 overlaps keeps two thirds of itself. If memory forbids it, 1.5 overlaps still keep a third.
        wide = round_down(min(3 * self._overlap, max(most_px, 3 * self._overlap // 2)), self.multiple)
        smallest = max(self.smallest, wide, self._overlap + self.multiple)
        side = max(round_down(tile_px, self.multiple), smallest)
        return self.padded if self.padded <= side else max(smallest, self._fitted(side))

    def count(self, side: int) -> int:
        """Return the number of spans of length `side`."""
        return 1 if side >= self.padded else ceil_div(self.padded - self._overlap, side - self._overlap)

    def spans(self, side: int) -> list[TileSpan]:
        """Return the spans of length `side`, in order."""
        return [TileSpan(0, self.padded, 0, self.padded)] if side >= self.padded else list(self._overlapping(side))

    def halves(self, span: TileSpan) -> tuple[TileSpan, ...]:
        """Return two shorter spans that together keep what `span` keeps; empty if it is too short to split."""
        if self.halo is None or span.keep_stop - span.keep_start < 2 * self.multiple:
            return ()
        middle = span.keep_start + round_up((span.keep_stop - span.keep_start) // 2, self.multiple)
        return self._around(span.keep_start, middle), self._around(middle, span.keep_stop)

    def _around(self, keep_start: int, keep_stop: int) -> TileSpan:
        """Return the shortest allowed span that keeps these pixels."""
        assert self.halo is not None
        start, stop = max(keep_start - self.halo[0], 0), min(keep_stop + self.halo[1], self.padded)
        stop = min(max(stop, start + self.smallest), self.padded)
        return TileSpan(max(min(start, stop - self.smallest), 0), stop, keep_start, keep_stop)

    @property
    def _overlap(self) -> int:
        return sum(self.halo or ())

    def _fitted(self, side: int) -> int:
        """Return the shortest span that needs no more spans than `side` does, in steps of `STEP_PX`."""
        count = self.count(side)
        fitted = ceil_div(self.padded + (count - 1) * self._overlap, count)
        return min(side, round_up(fitted, math.lcm(self.multiple, STEP_PX)))

    def _overlapping(self, side: int) -> Iterator[TileSpan]:
        assert self.halo is not None
        before, after = self.halo
        keep_start = 0
        while keep_start < self.padded:
            start = min(max(keep_start - before, 0), self.padded - side)
            stop = start + side
            keep_stop = self.padded if stop == self.padded else stop - after
            yield TileSpan(start, stop, keep_start, keep_stop)
            keep_start = keep_stop


@dataclass(frozen=True)
class TilingPlan:
    """The equal tiles of one picture."""

    rows: TilingAxis
    columns: TilingAxis
    scale: int
    """Output pixels per input pixel, per side."""
    tiles: tuple[Tile, ...]
    """The tiles, row by row."""
    deviation: HaloDeviation | None = None
    """The measured difference from the whole picture. `None` if the halo is exact."""

    @property
    def height(self) -> int:
        """Height of the picture in input pixels."""
        return self.rows.length

    @property
    def width(self) -> int:
        """Width of the picture in input pixels."""
        return self.columns.length

    @property
    def computed_px(self) -> int:
        """The number of input pixels of all tiles, halos included."""
        return sum(tile.area for tile in self.tiles)

    @property
    def waste(self) -> float:
        """The number of computed pixels per pixel of the picture, at least 1."""
        return self.computed_px / (self.height * self.width)

    def pad(self, planes: Tensor, tile: Tile) -> Tensor:
        """Return `planes`, (C, h, w), with the last row and column repeated up to the tile's shape.

        `planes` is shorter than the tile if the tile extends into the padding of the picture.
        """
        below, right = tile.rows.length - planes.shape[1], tile.columns.length - planes.shape[2]
        return np.pad(planes, ((0, 0), (0, below), (0, right)), mode="edge") if below or right else planes

    def kept(self, tile: Tile, planes: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the kept part of a tile's output and its top row and left column in the result.

        `planes` is the output of the whole tile, (C, scale*h, scale*w).
        """
        top, bottom, above = self._place(tile.rows, self.height)
        left, right, before = self._place(tile.columns, self.width)
        return planes[:, top - above : bottom - above, left - before : right - before], (top, left)

    def halves(self, tile: Tile) -> tuple[Tile, ...]:
        """Return two smaller tiles that together keep what `tile` keeps; empty if neither split saves 10 %."""
        along_rows = tuple(Tile(rows, tile.columns) for rows in self.rows.halves(tile.rows))
        along_columns = tuple(Tile(tile.rows, columns) for columns in self.columns.halves(tile.columns))
        splits = [
            split for split in (along_rows, along_columns) if split and max(half.area for half in split) < 0.9 * tile.area
        ]
        return min(splits, key=lambda split: max(half.area for half in split), default=())

    def _place(self, span: TileSpan, length: int) -> tuple[int, int, int]:
        stop = min(span.keep_stop, length)
        return span.keep_start * self.scale, stop * self.scale, span.start * self.scale


def plan_tiles(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo], int],
    *,
    exact: bool = False,
    most_px: int = UNBOUNDED_PX,
) -> TilingPlan:
    """Return the tiles of a picture of `height` x `width` input pixels.

    A tile has an area of at most `tile_px` squared, in input pixels, halo included. `tile_px` is a side or a function
    that returns the side for a halo. Of the allowed tile shapes, the plan uses the one that computes the fewest pixels.
    A wide halo enlarges the tiles, up to about `most_px` per side.

    The plan uses the smallest halo whose deviation is at most `MAX_STEPS`, instead of the exact halo, if the exact one
    computes more than `MAX_WASTE` pixels per pixel or needs tiles beyond `most_px`. `exact` forbids this.

    A model without a finite halo gets one tile: the whole picture. Raises `ModelError` if the contract's size laws have
    an offset, and `ContractError` if it has no size law.
    """
    halo = contract.halo if isinstance(contract.halo, Halo) else None
    whole = _plan(height, width, contract, tile_px, most_px, halo, None)
    fits = whole.tiles[0].area <= most_px**2
    if exact or halo is None or (whole.waste <= MAX_WASTE and fits):
        return whole
    for deviation in contract.halo_deviation:
        if deviation.steps <= MAX_STEPS:
            side = deviation.halo_px
            smaller = Halo(**{name: min(px, side) for name, px in halo.model_dump().items()})
            other = _plan(height, width, contract, tile_px, most_px, smaller, deviation)
            return min(whole, other, key=lambda plan: plan.computed_px) if fits else other
    return whole


def _plan(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo], int],
    most_px: int,
    halo: Halo | None,
    deviation: HaloDeviation | None,
) -> TilingPlan:
    laws, scale = (contract.height, contract.width), contract.scale
    assert laws[0] is not None and laws[1] is not None  # or contract.scale would have raised
    if laws[0].offset or laws[1].offset:
        raise ModelError(
            f"{contract.name} adds {laws[0].offset} and {laws[1].offset} pixels to its output; tiles need an offset of 0"
        )
    rows = TilingAxis.of(height, laws[0], None if halo is None else (halo.top, halo.bottom))
    columns = TilingAxis.of(width, laws[1], None if halo is None else (halo.left, halo.right))
    side = tile_px if isinstance(tile_px, int) else 1 if halo is None else tile_px(halo)
    tall, wide = _sides(rows, columns, side, most_px)
    tiles = tuple(Tile(*spans) for spans in product(rows.spans(tall), columns.spans(wide)))
    return TilingPlan(rows, columns, scale, tiles, deviation)


def _sides(rows: TilingAxis, columns: TilingAxis, side: int, most_px: int) -> tuple[int, int]:
    """Return the height and width of tiles that compute the fewest pixels in all; of equal ones, the fewest tiles.

    No tile has a larger area than a square of `side`, unless the limits of an axis require it.
    """

    def cost(shape: tuple[int, int]) -> tuple[int, int, int]:
        count = rows.count(shape[0]) * columns.count(shape[1])
        return count * shape[0] * shape[1], count, abs(shape[0] - shape[1])

    limits = {side, *range(side // MAX_ASPECT + 1, MAX_ASPECT * side + 1, STEP_PX)}
    talls = {rows.side(limit, most_px) for limit in limits}
    shapes = {(tall, columns.side(min(side * side // tall, MAX_ASPECT * side), most_px)) for tall in talls}
    return min(shapes, key=cost)
